import { fileSize } from "../adapters/pool-process.ts";
import { assertStandby, awaitServer, launchServer } from "../steps/server-launch.ts";
import { findPostmaster } from "../steps/postmaster.ts";
import { startLog } from "../steps/server-start.ts";
import type { GuardStepContext } from "./steps/step.ts";

/** Replaying much WAL after a crash moves all the time: so long nothing may move. */
const stallMs = 120_000;
const jobName = "guard-start";

/** Starts this host's server as a standby, and waits until it gives a session. @throws Failure REFUSED without its marker */
export async function startStandby(context: GuardStepContext): Promise<void> {
  const { dataDirectory } = context.settings.paths;
  const log = startLog(dataDirectory, context.settings);
  const start = {
    dataDirectory,
    stallMs,
    logSize: log === null ? 0 : ((await fileSize(log)) ?? 0),
    jobName,
    operationId: context.decisionId,
  };
  await assertStandby(dataDirectory, context);
  if ((await findPostmaster(dataDirectory, context)) === null) await launchServer(start, context);
  await awaitServer(start, context, (note) => context.log.debug({ note }, "The server starts."));
}
