import { fileSize } from "../adapters/pool-process.ts";
import { assertStandby, awaitServer, launchServer, type ServerStart } from "../steps/server-launch.ts"; // prettier-ignore
import { findPostmaster } from "../steps/postmaster.ts";
import { startLog } from "../steps/server-start.ts";
import type { GuardStepContext } from "./steps/step.ts";

/** Replaying much WAL after a crash moves all the time: so long nothing may move. */
const stallMs = 120_000;
const jobName = "guard-start";

/** Starts this host's server as a standby, and waits until it gives a session. @throws Failure REFUSED without its marker */
export async function startStandby(context: GuardStepContext): Promise<void> {
  await assertStandby(context.settings.paths.dataDirectory, context);
  await startServer("standby", context);
}

/** As what its directory says that it is; `role` is what it has to be when it answers. */
export async function startServer(
  role: ServerStart["role"],
  context: GuardStepContext,
): Promise<void> {
  const { dataDirectory } = context.settings.paths;
  const log = startLog(dataDirectory, context.settings);
  const start: ServerStart = {
    dataDirectory,
    role,
    stallMs,
    logSize: log === null ? 0 : ((await fileSize(log)) ?? 0),
    jobName,
    operationId: context.decisionId,
  };
  if ((await findPostmaster(dataDirectory, context)) === null) await launchServer(start, context);
  await awaitServer(start, context, (note) => context.log.debug({ note }, "The server starts."));
}
