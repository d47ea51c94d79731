import { crashPoint } from "#shared/crash-point.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import { physicalSlots, removeSlotDirectories } from "../../adapters/slot-directory.ts";
import { ownDialect } from "../../steps/own-dialect.ts";
import { findPostmaster } from "../../steps/postmaster.ts";
import { flag } from "../../steps/row-values.ts";
import { copiedVersion } from "../../steps/standby-marker.ts";
import { seePrimary, type NewPrimary, type SeenPrimary } from "../new-primary.ts";
import { liftShield } from "../read-only-shield.ts";
import { assureCleanStop } from "../rejoin/clean-stop.ts";
import { divergedSegments, keepDivergedWal, partingFrom } from "../rejoin/diverged-wal.ts";
import { ownSlot, writeFollowing } from "../rejoin/follow.ts";
import { keptFiles, restoreKeptFiles } from "../rejoin/kept-files.ts";
import {
  directoryMode,
  lockDirectory,
  lockedMode,
  unlockDirectory,
} from "../rejoin/lock-directory.ts";
import { forgetOwnFiles, keepOwnFiles, restoreOwnFiles } from "../rejoin/own-files.ts";
import { forgetRejoin, noteRejoin, rejoinRecord, type RejoinRecord } from "../rejoin/record.ts";
import { followRewind, forgetRewind, isRewindStarted, rewindProblem, startRewind, tryRewind } from "../rejoin/rewind.ts"; // prettier-ignore
import type { StoppedServer } from "../rejoin/stopped-server.ts";
import { makeSlots } from "../standby-slots.ts";
import { startStandby } from "../start-standby.ts";
import { assureSlot, awaitStreaming, receiverProblem } from "../streaming.ts";
import type { GuardExecutor, GuardStepContext } from "./step.ts";
import { stopDatabase } from "./stop-database.ts";
import { putStandbyMarker } from "./write-standby-marker.ts";

/**
 * A stopped server that has WAL which the primary has not becomes its standby. At every instant it has a standby
 * marker, or its directory is locked, or it recovers where no client can reach it: whatever is killed, it never takes a
 * write. What can't be brought to its end is marked for a rebuild, and stays as it is.
 */
export const rejoin: GuardExecutor<"rejoin"> = async (step, context) => {
  const { clock, mark } = context;
  const lines: string[] = [];
  let record = await rejoinRecord(context);
  const isStarted = await isAlmostThere(step, record, context);
  await using primary = await seePrimary(step, context);
  if (!isStarted) {
    await mark({ rejoiningSince: context.view.marks.rejoiningSince ?? clock.now() });
    const isUnderWay = record?.stage === "rewinding" && (await isRewindStarted(context));
    if (record === null || !(isUnderWay || record.stage === "rewound")) {
      record = await prepare(step, primary, lines, record?.mode ?? null, context);
    }
    if (record.stage === "rewinding") record = await endRewind(record, context);
    await settle(step, record, context);
    await assureSlot(ownSlot(context), primary, context);
    await mark({ restartingSince: clock.now() });
    await startStandby(context);
    // From here on a stop is somebody else's.
    await mark({ restartingSince: null });
  }
  await makeSlots(record?.slots ?? [], context);
  await awaitStreaming(step, primary, context);
  await liftShield(context);
  await forgetRejoin(context);
  await forgetOwnFiles(context);
  await forgetRewind(context);
  await mark({
    rejoiningSince: null,
    diverged: null,
    wasPrimary: null,
    fencedAt: null,
  });
  return [...lines, `follows ${step.node} (${step.host}:${step.port})`].join("; ");
};

/** All that can be known beforehand: when it ends, either nothing was changed or the rewind has begun. */
async function prepare(
  step: NewPrimary,
  primary: SeenPrimary,
  lines: string[],
  modeBefore: number | null,
  context: GuardStepContext,
): Promise<RejoinRecord> {
  const { paths } = context.settings;
  const mode = modeBefore ?? (await directoryMode(context));
  if (mode === lockedMode) {
    throw await rebuild("its directory was locked by a rewind of which nothing is noted any more", context); // prettier-ignore
  }
  // Of a rejoin that came to no end.
  await forgetOwnFiles(context);
  await putStandbyMarker(context);
  const stopped = await assureCleanStop(context);
  if (stopped.systemIdentifier !== primary.systemIdentifier) {
    throw new Failure("REFUSED", `${step.node} is another cluster's: system identifier ${primary.systemIdentifier}, here ${stopped.systemIdentifier}`); // prettier-ignore
  }
  const { at, isBeyond } = partingFrom(stopped, primary);
  const record: RejoinRecord = {
    stage: "kept",
    mode,
    files: await keptFiles(context),
    slots: [...(await physicalSlots(paths.dataDirectory))],
  };
  if (!isBeyond) {
    if (at !== null && context.view.marks.diverged !== null) {
      lines.push(await setAside(stopped, at, context));
    }
    lines.push("its WAL is a beginning of the primary's: nothing to rewind");
    await noteRejoin({ ...record, stage: "rewound" }, context);
    return { ...record, stage: "rewound" };
  }
  if (at === null) {
    throw await rebuild("it has no timeline in common with the primary, and none of its WAL is kept elsewhere", context); // prettier-ignore
  }
  lines.push(await keepDivergedWal(stopped, at, context));
  crashPoint("guard:wal-kept");
  const problem = await impossible(stopped, context);
  if (problem !== null) throw await rebuild(problem, context);
  // Its control file tells the new timeline from then on (PostgreSQL docs, pg_rewind).
  await primary.session.query("CHECKPOINT");
  await tryRewind(step, context).catch(async (error: unknown) => {
    const failure = asFailure(error);
    throw failure.retryable ? failure : await rebuild(failure.message, context);
  });
  await keepOwnFiles(context);
  await noteRejoin(record, context);
  await lockDirectory(context);
  await noteRejoin({ ...record, stage: "rewinding" }, context);
  await startRewind(step, context);
  return { ...record, stage: "rewinding" };
}

/** Why no rewind can help here; null where one may. */
async function impossible(
  stopped: StoppedServer,
  context: GuardStepContext,
): Promise<string | null> {
  const version = await copiedVersion(context.settings.paths.dataDirectory, context);
  if (stopped.state === "shut down in recovery" && version < 130_000) {
    return "before version 13 a rewind overlooks what a standby has replayed";
  }
  return rewindProblem(context);
}

/** Received and never replayed: it would be replayed at the next start. */
async function setAside(
  stopped: StoppedServer,
  at: string,
  context: GuardStepContext,
): Promise<string> {
  const kept = await keepDivergedWal(stopped, at, context);
  for (const path of await divergedSegments(stopped, at, context)) await context.files.remove(path);
  return kept;
}

async function endRewind(record: RejoinRecord, context: GuardStepContext): Promise<RejoinRecord> {
  await followRewind(context).catch(async (error: unknown) => {
    if (context.signal.aborted) throw error;
    // Half of one server and half of another: it stays locked.
    throw await rebuild(asFailure(error).message, context);
  });
  const rewound = { ...record, stage: "rewound" as const };
  await noteRejoin(rewound, context);
  return rewound;
}

/** This node's own files again, and a standby's; only then may a server start on it. */
async function settle(
  step: NewPrimary,
  record: RejoinRecord,
  context: GuardStepContext,
): Promise<void> {
  await restoreOwnFiles(context);
  await restoreKeptFiles(record, context);
  await writeFollowing(step, context);
  await removeSlotDirectories(context.settings.paths.dataDirectory);
  crashPoint("guard:rejoin-settled");
  await unlockDirectory(record.mode, context);
}

/**
 * Started by a run of this step that was cut off, all but proved. One that it started for its recovery is stopped: it
 * streams from nobody. @throws Failure REFUSED for a primary that runs, and for a standby that streams
 */
async function isAlmostThere(
  step: NewPrimary,
  record: RejoinRecord | null,
  context: GuardStepContext,
): Promise<boolean> {
  const { databases, settings } = context;
  if ((await findPostmaster(settings.paths.dataDirectory, context)) === null) return false;
  const [role] = await databases.own.query((await ownDialect(context)).isInRecovery);
  if (!flag(role, "standby")) {
    throw new Failure("REFUSED", "a primary runs here: nothing is rewound under it", {
      hint: "Stop it first.",
    });
  }
  if (record?.stage === "rewound" || (await receiverProblem(step, context)) === null) return true;
  await stopDatabase({ do: "stop-database", mode: "fast" }, context);
  return false;
}

/** Of this rejoin nothing goes on: what it noted is not to be taken for another one's, of a copy made anew. */
async function rebuild(because: string, context: GuardStepContext): Promise<Failure> {
  const { clock, mark } = context;
  await mark({ rejoiningSince: null, needsRebuild: { at: clock.now(), because: because.slice(0, 500) } }); // prettier-ignore
  await forgetRejoin(context);
  await forgetRewind(context);
  return new Failure("OPERATION_NEEDS_ATTENTION", `this node can't be rewound: ${because}`, {
    hint: "It has to be copied anew: castellan node rebuild. Its diverged WAL is kept (docs/guard.md).",
  });
}
