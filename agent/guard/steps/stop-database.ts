import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { isCutOff } from "../../decide/isolation.ts";
import { ownDialect } from "../../steps/own-dialect.ts";
import { findPostmaster } from "../../steps/postmaster.ts";
import { flag, text } from "../../steps/row-values.ts";
import { stopServer } from "../../steps/server-stop.ts";
import type { GuardExecutor, GuardStepContext } from "./step.ts";

/** Sessions are cut at once; the checkpoint of a slow disk may take its time, but it moves. */
const stallMs = 120_000;

export const stopDatabase: GuardExecutor<"stop-database"> = async (_step, context) => {
  const { dataDirectory } = context.settings.paths;
  const postmaster = await findPostmaster(dataDirectory, context);
  if (postmaster === null) return "no server runs";
  await assertNotStreaming(context);
  // A follower that nobody reaches would be waited for, up to wal_sender_timeout.
  const leaves = isCutOff(context.view) ? ({ leavesFollowers: true } as const) : {};
  await stopServer({ dataDirectory, stallMs, ...leaves }, context);
  crashPoint("guard:database-stopped");
  return `the server (pid ${postmaster.pid}) is stopped`;
};

/** A standby that streams is healthy, whatever a pool or a file says of it. A server that gives no session is not asked. */
async function assertNotStreaming(context: GuardStepContext): Promise<void> {
  const { own } = context.databases;
  const isStreaming = async (): Promise<boolean> => {
    const dialect = await ownDialect(context);
    const [role] = await own.query(dialect.isInRecovery);
    if (!flag(role, "standby")) return false;
    const [receiver] = await own.query(dialect.receiver);
    return receiver !== undefined && text(receiver, "status") === "streaming";
  };
  if (!(await isStreaming().catch(() => false))) return;
  throw new Failure("REFUSED", "this standby streams: it is not stopped", {
    hint: "If it has to be stopped for another reason, stop it by hand.",
  });
}
