import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { restartPool } from "../guard/steps/restart-pool.ts";
import type { StepContext } from "../ports.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import type { ChangeStep } from "./step.ts";

export const stopPool: ChangeStep<"stop-pool"> = {
  check: async (_args, context) =>
    (await isStopped(context)) ? evidence(["no pool runs here"], { alreadyDone: true }) : null,
  apply: async (_args, context) => {
    await noteOwn(context, ledgerKey.pool, {});
    await context.rootHelper.run("pool-stop");
    crashPoint("step:pool-stopped");
  },
  verify: async (_args, context) => {
    if (await isStopped(context)) return evidence(["the pool is stopped"]);
    throw new Failure("VERIFICATION_FAILED", "the pool runs", { retryable: true });
  },
  undo: async (_args, context) => {
    if (!(await isOwn(context))) return evidence(["this operation stopped no pool here"]);
    const line = await restartPool({ do: "restart-pool" }, asGuardStep(context));
    await context.ledger.delete(ledgerKey.pool);
    return evidence([line]);
  },
};

export async function isStopped({ rootHelper }: StepContext): Promise<boolean> {
  return (await rootHelper.run("pool-status")).stdout.trim() === "stopped";
}

export async function isOwn(context: StepContext): Promise<boolean> {
  return (await ownFacts(context, ledgerKey.pool, z.object({}))) !== null;
}
