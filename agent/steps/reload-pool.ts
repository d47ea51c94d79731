import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { Pcp } from "../adapters/pcp.ts";
import type { StepContext } from "../ports.ts";

/** Has the pool read its file again, by the first way that this host allows; answers how, for people. */
export async function reloadPool(
  parent: number | null,
  pcp: Pcp,
  context: Pick<StepContext, "rootHelper">,
): Promise<string> {
  if ((await context.rootHelper.verbs()).includes("pool-reload")) {
    await context.rootHelper.run("pool-reload");
    crashPoint("step:pool-reloaded");
    return "reloaded by the root helper";
  }
  if (parent !== null && signalReload(parent)) return `reloaded by SIGHUP to ${parent}`;
  await pcp.reload();
  return "reloaded by pcp_reload_config";
}

/** Only a pool of our own user, or of a user that we may signal. */
function signalReload(parent: number): boolean {
  try {
    process.kill(parent, "SIGHUP");
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EPERM") return false;
    throw new Failure("POOL_UNREACHABLE", `the pool's process ${parent} is gone`, {
      cause: error,
      retryable: true,
    });
  }
}
