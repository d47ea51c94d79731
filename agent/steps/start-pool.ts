import { crashPoint } from "#shared/crash-point.ts";
import { openPcp } from "../adapters/pcp.ts";
import { restartPool } from "../guard/steps/restart-pool.ts";
import type { StepContext } from "../ports.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn } from "./own-entry.ts";
import type { ChangeStep } from "./step.ts";
import { isOwn, isStopped } from "./stop-pool.ts";

export const startPool: ChangeStep<"start-pool"> = {
  check: async (_args, context) =>
    (await isStopped(context)) ? null : evidence([await answer(context)], { alreadyDone: true }),
  apply: async (_args, context) => {
    await noteOwn(context, ledgerKey.pool, {});
    await restartPool({ do: "restart-pool" }, asGuardStep(context));
    crashPoint("step:pool-started");
  },
  verify: async (_args, context) => evidence([await answer(context)]),
  undo: async (_args, context) => {
    if (!(await isOwn(context))) return evidence(["this operation started no pool here"]);
    await context.rootHelper.run("pool-stop");
    await context.ledger.delete(ledgerKey.pool);
    return evidence(["the pool is stopped"]);
  },
};

/** @throws while it does not answer */
async function answer(context: StepContext): Promise<string> {
  await using pcp = await openPcp(context);
  await pcp.node(0);
  return "the pool answers";
}
