import { crashPoint } from "#shared/crash-point.ts";
import { processesIn } from "../adapters/local-processes.ts";
import type { StepContext } from "../ports.ts";
import { findPostmaster } from "./postmaster.ts";
import { assertNotPrimary, noteStop, stopStandby } from "./stop-standby.ts";
import type { ChangeStep } from "./step.ts";
import { watchProgress } from "./watch-progress.ts";

/** What a crash of the server does: no farewell, and a recovery at the next start. Otherwise as stop-standby. */
export const killStandby: ChangeStep<"kill-standby"> = {
  ...stopStandby,
  apply: async ({ stallMs }, context) => {
    await noteStop(context);
    const { dataDirectory } = context.settings.paths;
    if ((await findPostmaster(dataDirectory, context)) !== null) await assertNotPrimary(context);
    crashPoint("step:killing-standby");
    await killServer(stallMs, context);
  },
};

/** Until none of its processes is left. */
export async function killServer(stallMs: number, context: StepContext): Promise<void> {
  const { dataDirectory } = context.settings.paths;
  const postmaster = await findPostmaster(dataDirectory, context);
  if (postmaster !== null) process.kill(postmaster.pid, "SIGKILL");
  await everyProcessGone(dataDirectory, stallMs, context);
}

/** Its children hold the shared memory until they notice: a start before that is refused. */
async function everyProcessGone(
  dataDirectory: string,
  stallMs: number,
  context: StepContext,
): Promise<void> {
  await watchProgress(
    context,
    { stallMs, everyMs: 20, what: "the end of the server's processes" },
    async () => {
      const pids = (await processesIn(dataDirectory)).join(", ");
      if (pids === "") return { state: "done", value: null };
      return { state: "waiting", token: pids, missing: `pid ${pids}` };
    },
  );
}
