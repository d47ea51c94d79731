import { Failure } from "#shared/errors.ts";
import { evidence } from "./evidence.ts";
import { ownDialect } from "./own-dialect.ts";
import { flag } from "./row-values.ts";
import type { ChangeStep } from "./step.ts";

/** The root helper asks by ARP before and after it adds the address. */
export const takeAddress: ChangeStep<"take-address"> = {
  check: async (_args, { rootHelper }) =>
    (await rootHelper.run("vip-status")).stdout.trim() === "here"
      ? evidence(["the virtual address is here"], { alreadyDone: true })
      : null,
  apply: async (_args, context) => {
    const [row] = await context.databases.own.query((await ownDialect(context)).isInRecovery);
    if (row === undefined || flag(row, "standby")) {
      throw new Failure("REFUSED", "the virtual address is not taken: this database is in recovery"); // prettier-ignore
    }
    await context.rootHelper.run("vip-add");
  },
  verify: async (_args, { rootHelper }) => {
    const said = (await rootHelper.run("vip-status")).stdout.trim();
    if (said === "here") return evidence(["the virtual address is here"]);
    throw new Failure("VERIFICATION_FAILED", `the virtual address: ${said}`, { retryable: true });
  },
  undo: async (_args, { rootHelper }) => {
    await rootHelper.run("vip-drop");
    return evidence(["the virtual address is off"]);
  },
};
