import { asFailure } from "#shared/errors.ts";
import { fileSize } from "../adapters/pool-process.ts";
import { assertStandby, awaitServer, launchServer, type ServerStart } from "../steps/server-launch.ts"; // prettier-ignore
import { findPostmaster } from "../steps/postmaster.ts";
import { startLog } from "../steps/server-start.ts";
import { stopServer } from "../steps/server-stop.ts";
import type { GuardStepContext } from "./steps/step.ts";
import { putStandbyMarker } from "./steps/write-standby-marker.ts";

/** Replaying much WAL after a crash moves all the time: so long nothing may move. */
const stallMs = 120_000;
const jobName = "guard-start";

/** Starts this host's server as a standby, and waits until it gives a session. @throws Failure REFUSED without its marker */
export async function startStandby(context: GuardStepContext): Promise<void> {
  const { dataDirectory } = context.settings.paths;
  await assertStandby(dataDirectory, context);
  const isOurs = (await findPostmaster(dataDirectory, context)) === null;
  await startServer("standby", context).catch(async (error: unknown) => {
    // A trigger that a site's script left promotes it all the same: nobody is to have a second primary from us.
    if (isOurs && asFailure(error).code === "VERIFICATION_FAILED") {
      await putStandbyMarker(context);
      await stopServer({ dataDirectory, stallMs }, context);
    }
    throw error;
  });
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
