import * as z from "zod";
import type { BackendRow, CommandArgs } from "#shared/domain/commands.ts";
import { backendIdOf, poolFlag, type PoolConf } from "#shared/config-files/pool-conf.ts";
import { appendBackend as appendLines } from "#shared/config-files/pool-edit.ts";
import { removeLines } from "#shared/config-files/text-file.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { openPcp, type Pcp } from "../adapters/pcp.ts";
import { isAlive, poolChildren, readFrom } from "../adapters/pool-process.ts";
import type { StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { editedFile, restoredFile } from "./edited-file.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { hashOf } from "./own-file.ts";
import { assertOwnPlace } from "./own-place.ts";
import { keptEdits } from "./planned-file.ts";
import { poolLog, readPoolConf, runningPool, type ReadPoolConf } from "./pool-place.ts";
import { isStopped, placeOf, rowInFile, rowInPool } from "./pool-rows.ts";
import { reloadPool } from "./reload-pool.ts";
import type { ChangeStep } from "./step.ts";
import { watchProgress } from "./watch-progress.ts";

type Args = CommandArgs<"append-backend">;

/** What was there before, so that undo takes out our lines and verify sees whether the pool came through well. */
const OwnBackend = z.object({
  /** Settings of this id that were not in the file before. */
  added: z.array(z.string()),
  hashBefore: z.string(),
  hashAfter: z.string().optional(),
  parent: z.number().nullable(),
  children: z.array(z.number()),
  log: z.object({ file: z.string(), size: z.number() }).nullable(),
});
type OwnBackend = z.infer<typeof OwnBackend>;

const ledgerKey = ({ file, row }: Args): string => `backend:${file}#${row.id}`;

/** How long a row may take to be loaded, and for how long a crashing child is waited for. */
const limits = { loadedMs: 10_000, everyMs: 25, calmMs: 400 };

export const appendBackend: ChangeStep<"append-backend"> = {
  check: async (args, context) => {
    const { conf } = await readOwnConf(args, context);
    if (rowInFile(conf, args.row, args.file) === null) return null;
    await using pcp = await openPcp(context);
    const loaded = await rowInPool(pcp, args.row);
    // Ours from an earlier attempt: verify looks at the pool's health.
    if (loaded === null || (await ownFacts(context, ledgerKey(args), OwnBackend)) !== null)
      return null;
    return evidence([`backend ${args.row.id} is ${placeOf(args.row)} already, ${loaded.status}`], {
      alreadyDone: true,
    });
  },
  apply: async (args, context) => {
    await using pcp = await openPcp(context);
    // A row that a running pool still has from an undone operation is taken up again, another's is a conflict.
    await rowInPool(pcp, args.row);
    const { conf, snapshot } = await readOwnConf(args, context);
    rowInFile(conf, args.row, args.file);
    refuseFailback(args, conf);
    const parent = await runningPool(conf, context);
    let facts = await ownFacts(context, ledgerKey(args), OwnBackend);
    if (facts === null) {
      facts = {
        added: settingsOf(args.row).filter((name) => !conf.settings.has(name)),
        hashBefore: snapshot.hash,
        parent,
        children: parent === null ? [] : (await poolChildren(parent)).map(({ pid }) => pid),
        log: parent === null ? null : await poolLog(parent, context),
      };
      await noteOwn(context, ledgerKey(args), facts);
    }
    const text = withRow(snapshot.text, args);
    if (text !== snapshot.text) {
      facts = { ...facts, hashBefore: snapshot.hash, hashAfter: hashOf(text) };
      await noteOwn(context, ledgerKey(args), facts);
      await context.files.replace(args.file, text, undefined, snapshot.hash);
    }
    await reloadPool(parent, pcp, context);
  },
  verify: async (args, context) => {
    const { conf, snapshot } = await readOwnConf(args, context);
    if (rowInFile(conf, args.row, args.file) === null) {
      throw new Failure(
        "VERIFICATION_FAILED",
        `${args.file} has no backend ${args.row.id} after all`,
      );
    }
    await using pcp = await openPcp(context);
    const status = await waitUntilLoaded(pcp, args.row, context);
    const health = await poolHealth(args, context);
    const row = `backend ${args.row.id} ${placeOf(args.row)}`;
    const own = await ownFacts(context, ledgerKey(args), OwnBackend);
    const kept = keptEdits(args.planned, args.file, own?.hashBefore ?? snapshot.hash);
    return evidence([`${row} is in ${args.file} and loaded, ${status}`, ...health, ...kept], {
      files: editedFile(args.file, own),
    });
  },
  undo: async (args, context) => {
    const own = await ownFacts(context, ledgerKey(args), OwnBackend);
    if (own === null) return evidence(["no backend of this operation"], { alreadyDone: true });
    const { snapshot, conf } = await readOwnConf(args, context);
    const lines = conf.conf.entries.filter(
      ({ name, commentedOut }) => !commentedOut && own.added.includes(name),
    );
    const done: string[] = [];
    await using pcp = await openPcp(context);
    const isRunning = !(await isStopped(pcp, args.row, context));
    if (isRunning) done.push(...(await detachIfUp(pcp, args.row, context)));
    else done.push("no pool runs here: it reads the file when it is started");
    if (lines.length > 0) {
      const text = removeLines(snapshot.text, new Set(lines.map(({ line }) => line)));
      const hash = await context.files.replace(args.file, text, undefined, snapshot.hash);
      const exact = hash === own.hashBefore ? ", which is byte for byte as it was before" : "";
      done.push(`took ${lines.length} lines out of ${args.file}${exact}`);
    }
    // Also where an undo that was cut off took the lines out: nobody knows whether it came to the reload.
    if (isRunning && own.hashAfter !== undefined) {
      done.push(await reloadPool(await runningPool(conf, context), pcp, context));
    }
    await context.ledger.delete(ledgerKey(args));
    if (isRunning && (await pcp.node(args.row.id)) !== null) {
      done.push(`the running pool keeps backend ${args.row.id}: down until its next restart`);
    }
    return evidence(done, { files: restoredFile(args.file, own) });
  },
};

async function readOwnConf({ file }: Args, context: StepContext): Promise<ReadPoolConf> {
  await assertOwnPlace(file, [context.settings.pool?.configFile ?? null], "pool configuration");
  return readPoolConf(file, context);
}

/** Preflight has looked, and somebody may have set it since: our reload would put it in force. */
function refuseFailback({ file, row }: Args, conf: PoolConf): void {
  if (poolFlag(conf, "auto_failback") !== true) return;
  throw new Failure("REFUSED", `${file} has auto_failback = on`, {
    hint: `Set auto_failback = off: it would attach backend ${row.id} at a moment of its own, when no door is held.`,
  });
}

function withRow(text: string, { file, row }: Args): string {
  try {
    return appendLines(text, { ...row, flag: "ALLOW_TO_FAILOVER" });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Failure("ALREADY_EXISTS", `${file}: ${error.message}`, {
      hint: "Remove what is left of that backend, or plan again with the next free id.",
      cause: error,
    });
  }
}

function settingsOf({ id }: BackendRow): readonly string[] {
  const names = ["hostname", "port", "weight", "data_directory", "flag", "application_name"];
  return names.map((name) => `backend_${name}${id}`).filter((name) => backendIdOf(name) === id);
}

async function waitUntilLoaded(pcp: Pcp, row: BackendRow, context: StepContext): Promise<string> {
  const what = `loading backend ${row.id}`;
  return watchProgress(
    context,
    { stallMs: limits.loadedMs, everyMs: limits.everyMs, what },
    async () => {
      const found = await rowInPool(pcp, row);
      const missing = "the running pool does not know the row";
      return found === null
        ? { state: "waiting", token: "absent", missing }
        : { state: "done", value: found.status };
    },
  );
}

/**
 * A pool once crashed in children that had a client when a row was loaded (pgpool 4.3.5, seen in one of 21 tries, at the
 * session's next statement): watch for a moment, and go no further if one does.
 */
async function poolHealth(args: Args, context: StepContext): Promise<readonly string[]> {
  const own = await ownFacts(context, ledgerKey(args), OwnBackend);
  if (own === null || own.parent === null) return ["the pool's processes could not be watched"];
  await context.clock.sleep(limits.calmMs, context.signal);
  const crash = own.log === null ? null : firstCrash(await readFrom(own.log.file, own.log.size));
  if (crash !== null) {
    throw new Failure(
      "VERIFICATION_FAILED",
      `a child of the pool crashed on the new row: ${crash}`,
      {
        hint: "Abort: the row is taken out again. Restarting this pool in a quiet hour loads the row too.",
        evidence: [crash],
      },
    );
  }
  if (!(await isAlive(own.parent))) {
    return [`the pool was restarted meanwhile: its process ${own.parent} is gone`];
  }
  const gone = (await Promise.all(own.children.map(isAlive))).filter((alive) => !alive).length;
  const log = own.log === null ? "its log can't be read from here" : `no crash in ${own.log.file}`;
  return [
    `the pool is still process ${own.parent}, ${gone} of ${own.children.length} children renewed; ${log}`,
  ];
}

function firstCrash(log: string): string | null {
  return /^.*(?:segmentation fault|by signal 11|core dumped).*$/im.exec(log)?.[0].trim() ?? null;
}

/** Before the lines go: a row that is up would go on being used. */
async function detachIfUp(
  pcp: Pcp,
  row: BackendRow,
  context: StepContext,
): Promise<readonly string[]> {
  const found = await pcp.node(row.id);
  if (found?.status !== "up" || found.hostname !== row.hostname || found.port !== row.port)
    return [];
  await pcp.detach(row.id);
  crashPoint("step:detached");
  const what = `detaching backend ${row.id}`;
  await watchProgress(
    context,
    { stallMs: limits.loadedMs, everyMs: limits.everyMs, what },
    async () => {
      const now = await pcp.node(row.id);
      return now?.status === "up"
        ? { state: "waiting", token: "up", missing: "the pool still shows it up" }
        : { state: "done", value: null };
    },
  );
  return [`detached backend ${row.id}`];
}
