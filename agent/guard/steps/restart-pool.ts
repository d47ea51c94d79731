import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { openPcp } from "../../adapters/pcp.ts";
import { watchProgress } from "../../steps/watch-progress.ts";
import type { GuardExecutor } from "./step.ts";

/** The watchdog's round at a start takes seconds (docs/products.md). */
const stallMs = 60_000;

/** The root helper looks first whether one runs, and clears only what a dead one left. */
export const restartPool: GuardExecutor<"restart-pool"> = async (_step, context) => {
  const { stdout } = await context.rootHelper.run("pool-start");
  crashPoint("guard:pool-started");
  await using pcp = await openPcp(context);
  const what = "the start of the pool";
  await watchProgress(context, { stallMs, everyMs: 500, what }, async () => {
    const problem = await pcp.node(0).then(
      () => null,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
    if (problem === null) return { state: "done", value: null };
    const { stdout: status } = await context.rootHelper.run("pool-status");
    if (status.trim() === "stopped") {
      throw new Failure("PROGRAM_FAILED", `the pool was started and ended again: ${problem}`);
    }
    return { state: "waiting", token: problem, missing: problem };
  });
  return `pool: ${stdout.trim()}, and it answers`;
};
