import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { whyNotTake } from "../../decide/virtual-address.ts";
import { ownDialect } from "../../steps/own-dialect.ts";
import { flag } from "../../steps/row-values.ts";
import type { GuardExecutor, GuardStepContext } from "./step.ts";

/** The root helper asks by ARP before and after it adds the address. */
export const addVip: GuardExecutor<"add-vip"> = async (_step, context) => {
  const why = whyNotTake(context.view);
  if (why !== null) throw new Failure("REFUSED", `the virtual address is not taken: ${why}`);
  await assertPrimary(context);
  const { stdout } = await context.rootHelper.run("vip-add");
  crashPoint("guard:vip-added");
  try {
    await assertPrimary(context);
  } catch (error) {
    await context.rootHelper.run("vip-drop");
    throw error;
  }
  return `virtual address: ${stdout.trim()}`;
};

async function assertPrimary(context: GuardStepContext): Promise<void> {
  const [row] = await context.databases.own.query((await ownDialect(context)).isInRecovery);
  if (row !== undefined && !flag(row, "standby")) return;
  throw new Failure("REFUSED", "the virtual address is not taken: this database is in recovery");
}
