import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { incompleteMarker } from "#shared/domain/names.ts";
import type { CommandArgs, CommandResult } from "#shared/domain/commands.ts";
import { isSameDirectory } from "../decide/directory-identity.ts";
import type { JobState, StepContext } from "../ports.ts";
import { backupArguments } from "./backup-command.ts";
import { diskFailure, hidesProgress } from "./backup-disk.ts";
import { backupFailure } from "./backup-failure.ts";
import {
  backupFacts,
  backupJobName,
  backupMarker,
  forgetBackup,
  noteBackup,
} from "./backup-records.ts";
import { assertIsOwnCopy } from "./backup-proof.ts";
import { createPatience, readBackupProgress } from "./backup-progress.ts";
import { freeSlot, waitForSource } from "./backup-source.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import {
  claimTree,
  ownDirectories,
  removeOwnDirectory,
  removeOwnTree,
  TreeFacts,
} from "./own-directory.ts";
import { ownFacts } from "./own-entry.ts";
import { assertStopped } from "./postmaster.ts";
import { standbyMarkers } from "./standby-marker.ts";
import type { ChangeStep } from "./step.ts";
import { assureStopped } from "./stop-standby.ts";
import { systemIdentifierOf } from "./control-data.ts";
import { watchProgress } from "./watch-progress.ts";

type Args = CommandArgs<"base-backup">;

/**
 * The copy, as a detached job that outlives the agent. It goes into a staging directory that is ours by device, inode
 * and birth, and never are there two jobs for one directory: a new attempt first ends the old job, then removes the old
 * tree, then counts the generation up.
 *
 * Why a copy can't be started as a primary by accident: while it runs, global/pg_control is missing (the server
 * sends it last), so no server starts on it. As soon as the program has ended, the job's own wrapper makes
 * `castellan.incomplete` inside, agent alive or not; where the staging directory is the data directory itself (a
 * mount point), the wrapper makes the standby marker too.
 */
export const baseBackup: ChangeStep<"base-backup"> = {
  check: async (args, context) => {
    const facts = await backupFacts(context, args);
    if (facts === null || facts.copied === null) return null;
    // Noted as finished, and killed before the job's folder was gone: apply comes to that.
    if ((await context.jobs.look(backupJobName(context))) !== null) return null;
    const marked = await context.files.stat(`${await placeOf(args, context)}/${incompleteMarker}`);
    return marked === null ? null : verified(args, context);
  },
  apply: async (args, context) => {
    const facts = await backupFacts(context, args);
    const job = await context.jobs.look(backupJobName(context));
    const isOurs = facts !== null && job !== null && job.generation === facts.generation;
    if (isOurs && job.status === "running") return follow(args, context);
    if (isOurs && job.status === "ended" && job.exitCode === 0) return finish(args, context, job);
    if (facts?.copied != null) return;
    // Its second process, which takes the WAL, goes on for seconds when the program itself was killed.
    await context.jobs.end(backupJobName(context), { leftovers: true });
    // Before its slot is freed: a copy that we know nothing of would be cut off by that.
    for (const tree of treesOf(args)) await assertNobodyCopies(tree, context);
    if (facts !== null) await freeSlot(args, context);
    await waitForSource(args, context);
    await start(args, context, (facts?.generation ?? 0) + 1);
    await follow(args, context);
  },
  verify: verified,
  undo: async (args, context) => {
    const name = backupJobName(context);
    const job = await context.jobs.look(name);
    await context.jobs.end(name, { leftovers: true });
    await context.jobs.remove(name);
    const lines = [job === null ? "no copy was running" : `the copy (pid ${job.pid}) is ended`];
    await assertNotStarted(args, context);
    for (const tree of treesOf(args)) {
      const line = await removeCopy(tree, args, context);
      if (line !== null) lines.push(line);
    }
    await forgetBackup(context, args);
    for (const directory of await ownDirectories(context)) {
      if (!treesOf(args).some((tree) => tree.startsWith(`${directory}/`))) continue;
      const line = await removeOwnDirectory(context, directory);
      if (line !== null) lines.push(line);
    }
    return evidence(lines);
  },
};

async function start(args: Args, context: StepContext, generation: number): Promise<void> {
  const name = backupJobName(context);
  await assertNotStarted(args, context);
  // The node's slot holds what the copy needs only while nobody streams through it.
  if (args.besideOld === true) await assureStopped(args.stallMs, context);
  await assertPlaceIsFree(args, context);
  await context.jobs.remove(name);
  for (const tree of treesOf(args)) await removeCopy(tree, args, context);
  await noteBackup(context, args, { generation, copied: null });
  for (const tree of treesOf(args)) await claimTree(context, tree, generation);
  // Beside, because the program demands an empty directory; inside as soon as it has ended.
  await writeMarker(args, context, generation);
  const { product, settings, secrets } = context;
  const isMountPoint = args.stagingDirectory === args.dataDirectory;
  const touchOnSuccess = [
    ...(isMountPoint ? await standbyMarkers(args.stagingDirectory, context) : []),
    `${args.stagingDirectory}/${incompleteMarker}`,
  ];
  const login = { ...args.source, replication: true, secret: "replication" as const };
  const passwordFile = await secrets.passwordFile([login]);
  crashPoint("backup:password-file-made");
  try {
    await context.jobs.start({
      name,
      operationId: context.operationId,
      generation,
      program: `${settings.paths.binDirectory}/${product.programs.baseBackup}`,
      args: backupArguments(args, context.operationId),
      env: { LC_ALL: "C", [product.passwordFileVariable]: passwordFile.path },
      // The job's, not ours: it lives as long as the job.
      whenEnded: { remove: [passwordFile.path], touchOnSuccess },
    });
  } catch (error) {
    await passwordFile[Symbol.asyncDispose]();
    throw error;
  }
  crashPoint("backup:job-started");
}

function removeCopy(tree: string, args: Args, context: StepContext): Promise<string | null> {
  return removeOwnTree(context, tree, (facts) => assertIsOwnCopy(args, tree, facts, context));
}

/**
 * The tree may be an empty directory while another operation's copy waits for its checkpoint: two copies into one
 * directory would mix.
 */
async function assertNobodyCopies(tree: string, context: StepContext): Promise<void> {
  const entry = await context.ledger.get(ledgerKey.tree(tree));
  const isOurs = entry?.operationId === context.operationId;
  const job = entry === null || isOurs ? null : await context.jobs.look(backupJobName(entry));
  if (entry !== null && job?.status === "running") {
    throw new Failure(
      "OPERATION_CONFLICT",
      `operation ${entry.operationId} still copies into ${tree} (pid ${job.pid})`,
      { hint: `Abort it first: castellan operation abort ${entry.operationId}` },
    );
  }
  const names = (await context.files.stat(tree)) === null ? [] : await context.files.list(tree);
  // What somebody else works on is refused where the directory is claimed.
  if (!isOurs && names.length > 0) return;
  const [pid] = await context.jobs.writersInto(tree);
  if (pid === undefined) return;
  throw new Failure("OPERATION_CONFLICT", `a program works on ${tree} already (pid ${pid})`, {
    hint: `It is no job that this agent knows. Look at it (ps -fp ${pid}) and end it.`,
  });
}

/** Looked at again when it is put there: that would be after hours. */
async function assertPlaceIsFree(args: Args, { files }: StepContext): Promise<void> {
  const { besideOld, dataDirectory, stagingDirectory } = args;
  if (besideOld === true) return;
  const found = dataDirectory === stagingDirectory ? null : await files.stat(dataDirectory);
  if (found === null) return;
  const holds = found.kind === "directory" ? await files.list(dataDirectory) : ["a file"];
  if (holds.length === 0) return;
  throw new Failure("ALREADY_EXISTS", `${dataDirectory} is not an empty directory of ours`, {
    hint: "Nothing in it was touched. Move it away.",
    evidence: holds.slice(0, 10),
  });
}

/** A copy that somebody has started is in use, with all its tablespaces, whatever its name is by now. */
async function assertNotStarted(args: Args, context: StepContext): Promise<void> {
  const tree = await ownFacts(context, ledgerKey.tree(args.stagingDirectory), TreeFacts);
  if (tree?.identity == null) return;
  for (const directory of new Set([args.stagingDirectory, args.dataDirectory])) {
    const found = await context.files.stat(directory);
    if (found !== null && isSameDirectory(found, tree.identity))
      await assertStopped(directory, context);
  }
}

/** Watches the job to its end; an aborted wait leaves it running, for the next attempt to adopt. */
async function follow(args: Args, context: StepContext): Promise<void> {
  const startedAt = context.clock.elapsedMs();
  const rate = createRate();
  const patience = createPatience(args.stallMs);
  const { node, host, port } = args.source;
  const what = `the base backup from ${node} (${host}:${port})`;
  const hint = `Look at the network between this host and ${node}, at ${node}'s disk and at this one's. This copy is ended; one that moves, however slowly, is never ended (addNode.stallMs in the coordinator's settings says how long nothing may move).`;
  const job = await watchProgress(
    context,
    { stallMs: args.stallMs, everyMs: 50, what, hint },
    async () => {
      const state = await context.jobs.look(backupJobName(context));
      if (state === null || state.status !== "running") return { state: "done", value: state };
      const seen = readBackupProgress(state.stderr);
      const isHidden = await hidesProgress(context);
      const totalBytes = seen.totalBytes || args.expectedBytes;
      context.progress({
        doneBytes: seen.doneBytes,
        totalBytes,
        bytesPerSecond: rate(seen.doneBytes, context.clock.elapsedMs() - startedAt),
        note: isHidden
          ? `${noteFor(seen.phase, args.source.node)}; how far is not known, ${context.settings.stateDirectory} is full`
          : noteFor(seen.phase, args.source.node),
      });
      const last = state.stderr.at(-1) ?? "no output";
      const now = context.clock.elapsedMs();
      // What can't be seen is not judged.
      const token = isHidden
        ? `at ${now} ms`
        : `${seen.doneBytes} ${patience(seen.phase, now)} ${last}`;
      return { state: "waiting", token, missing: last };
    },
  ).catch(async (error: unknown) => {
    if (error instanceof Failure && error.code === "STALLED") {
      await context.jobs.end(backupJobName(context));
    }
    throw error;
  });
  if (job?.status === "ended" && job.exitCode === 0) return finish(args, context, job);
  throw diskFailure(job, args) ?? backupFailure(job, args.source.node);
}

async function finish(args: Args, context: StepContext, job: JobState): Promise<void> {
  const { doneBytes } = readBackupProgress(job.stderr);
  const elapsedMs = Math.max(0, context.clock.now() - job.startedAt);
  // The wrapper's markers are not fsynced: ours are.
  if (args.stagingDirectory === args.dataDirectory) {
    for (const path of await standbyMarkers(args.stagingDirectory, context)) {
      await context.files.replace(path, "", 0o600);
    }
  }
  const marker = `${args.stagingDirectory}/${incompleteMarker}`;
  await context.files.replace(marker, `${context.operationId}\n`, 0o600);
  const facts = await backupFacts(context, args);
  const generation = facts?.generation ?? job.generation;
  crashPoint("backup:marked");
  await noteBackup(context, args, { generation, copied: { bytes: doneBytes, elapsedMs } });
  await context.jobs.remove(backupJobName(context));
}

async function verified(args: Args, context: StepContext): Promise<CommandResult<"base-backup">> {
  const facts = await backupFacts(context, args);
  if (facts?.copied == null) {
    throw new Failure("VERIFICATION_FAILED", "the base backup has not ended", { retryable: true });
  }
  const identifier = await systemIdentifierOf(await placeOf(args, context), context);
  if (identifier !== args.systemIdentifier) {
    throw new Failure(
      "VERIFICATION_FAILED",
      `the copy in ${args.stagingDirectory} has system identifier ${identifier}; the cluster has ${args.systemIdentifier}`,
      { hint: `${args.source.host}:${args.source.port} is a server of another cluster.` },
    );
  }
  const lines = [
    `${facts.copied.bytes} bytes from ${args.source.node} in ${facts.copied.elapsedMs} ms`,
    `system identifier ${identifier}`,
  ];
  return {
    ...evidence(lines),
    copiedBytes: facts.copied.bytes,
    elapsedMs: facts.copied.elapsedMs,
  };
}

async function writeMarker(args: Args, context: StepContext, generation: number): Promise<void> {
  // What lies beside a mount point is on another filesystem and seldom ours to write; the ledger knows it anyway.
  if (args.stagingDirectory === args.dataDirectory) return;
  const { operationId } = context;
  const text = `${JSON.stringify({ operationId, generation, dataDirectory: args.dataDirectory })}\n`;
  await context.files.replace(backupMarker(args.stagingDirectory), text, 0o600);
}

/** Where the copy is: a later step gives it its final name. */
async function placeOf(args: Args, context: StepContext): Promise<string> {
  const isStaged = (await context.files.stat(args.stagingDirectory)) !== null;
  return isStaged ? args.stagingDirectory : args.dataDirectory;
}

/** Every directory that the copy fills. */
function treesOf(args: Args): readonly string[] {
  return [args.stagingDirectory, ...args.tablespaces.map(({ to }) => to)];
}

function noteFor(phase: "starting" | "copying" | "syncing", node: string): string {
  if (phase === "starting") return `waiting for ${node}'s checkpoint`;
  return phase === "copying" ? `copying from ${node}` : "writing everything to disk";
}

/** Bytes per second over the last seconds, from samples as they come. */
function createRate(): (bytes: number, atMs: number) => number | null {
  const samples: { readonly bytes: number; readonly atMs: number }[] = [];
  return (bytes, atMs) => {
    if (samples.at(-1)?.bytes !== bytes) samples.push({ bytes, atMs });
    while (samples.length > 2 && atMs - (samples[0]?.atMs ?? 0) > 5_000) samples.shift();
    const first = samples[0];
    if (first === undefined || atMs <= first.atMs || bytes === first.bytes) return null;
    return ((bytes - first.bytes) * 1000) / (atMs - first.atMs);
  };
}
