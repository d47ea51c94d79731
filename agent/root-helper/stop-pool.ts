import { Failure } from "#shared/errors.ts";
import type { HelperSettings } from "./helper-settings.ts";
import { poolPid } from "./pool-process.ts";
import { within } from "./start-pool.ts";

const stopWithinMs = 20_000;

/** pgpool's fast shutdown is SIGINT (its docs, "pgpool": -m fast). It is never killed: that leaves children and its address. */
export async function stopPool(
  pool: NonNullable<HelperSettings["pool"]>,
  sleep: (ms: number) => Promise<void>,
): Promise<string> {
  const pid = poolPid(pool);
  if (pid === null) return "stopped";
  process.kill(pid, "SIGINT");
  if (await within(stopWithinMs, () => poolPid(pool) === null, sleep)) return `stopped ${pid}`;
  throw new Failure(
    "PROGRAM_FAILED",
    `the pool (process ${pid}) goes on ${stopWithinMs / 1000} s after its stop`,
  );
}
