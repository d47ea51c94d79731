import type { CommandArgs, CommandResult } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { Session, StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { connectUpstream } from "./prove-streaming.ts";
import {
  awaitReplay,
  lookAtUpstream,
  reachablePosition,
  type UpstreamSession,
} from "./replay-wait.ts";
import { count, text } from "./row-values.ts";
import { sqlStateOf } from "./sql-state.ts";
import type { ReadStep } from "./step.ts";
import { digestTable, isSameDigest, type TableDigest, type TableName } from "./table-digest.ts";

type Args = CommandArgs<"verify-data">;
type TableResult = CommandResult<"verify-data">["tables"][number];

/** A table is looked at this often before it is called different or changed. */
const rounds = 3;

/**
 * The copy is equal: first the standby replays past a position that the upstream has reached after the start, then
 * the largest tables are compared, each within one snapshot a side. A table that was written meanwhile is called
 * that, never equal.
 */
export const verifyData: ReadStep<"verify-data"> = {
  verify: async (args, context) => {
    await using own = await context.databases.connectOwn(context.settings.database.name);
    await using upstream = await connectUpstream(args.upstream, context);
    const seen = await lookAtUpstream(upstream, context);
    const lsn = await reachablePosition(seen, context);
    await awaitReplay(lsn, args.stallMs, own, seen, context);
    const lines = [`replayed past ${lsn}, ${args.upstream.node}'s position after the start`];
    if (args.level === "none") return { ...evidence(lines), tables: [] };
    const tables = await largestTables(args, upstream, context);
    const results: TableResult[] = [];
    for (const database of new Set(tables.map((table) => table.database))) {
      const here = tables.filter((table) => table.database === database);
      results.push(...(await compareDatabase(args, database, here, context)));
    }
    const different = results.filter(({ outcome }) => outcome === "different");
    if (different.length > 0) {
      throw new Failure(
        "VERIFICATION_FAILED",
        `${different.length} of ${results.length} tables differ between ${args.upstream.node} and this node`,
        {
          hint: "Don't let clients read here. Undo the operation and copy again; keep the evidence.",
          evidence: different.map(
            ({ database, table, rows }) => `${database}: ${table}, ${rows} rows there`,
          ),
        },
      );
    }
    return { ...evidence([...lines, ...results.map(describe)]), tables: results };
  },
};

/** Of all databases together, the largest first. */
async function largestTables(
  args: Args,
  upstream: Session,
  context: StepContext,
): Promise<readonly TableName[]> {
  const dialect = context.product.dialect(upstream.versionNumber);
  const names = (await upstream.query(dialect.databases)).map((row) => text(row, "name"));
  const found: TableName[] = [];
  // One after the other: a server may have hundreds of databases and few connections left.
  for (const database of names) {
    context.signal.throwIfAborted();
    await using session = await connectUpstream({ ...args.upstream, database }, context);
    const rows = await session.query(dialect.largestTables, [args.maxTables]);
    for (const row of rows) {
      const [schema, table] = [text(row, "schema"), text(row, "table")];
      found.push({ database, schema, table, bytes: count(row, "bytes") });
    }
  }
  return found.sort((a, b) => b.bytes - a.bytes).slice(0, args.maxTables);
}

async function compareDatabase(
  args: Args,
  database: string,
  tables: readonly TableName[],
  context: StepContext,
): Promise<readonly TableResult[]> {
  // A large table takes as long as it takes: the step's end, not a clock, ends a query.
  await using own = await context.databases.connectOwn(database, { isPatient: true });
  await using upstream = await connectUpstream({ ...args.upstream, database }, context, true);
  using _ended = whenAborted(context.signal, [own, upstream]);
  const seen = await lookAtUpstream(upstream, context);
  const results: TableResult[] = [];
  for (const table of tables) {
    context.signal.throwIfAborted();
    context.progress({
      doneBytes: null,
      totalBytes: null,
      bytesPerSecond: null,
      note: `comparing ${database}: ${table.schema}.${table.table}`,
    });
    results.push(await compareTable(args, table, own, seen, context));
  }
  return results;
}

/** Ends the sessions, and with them a query that may have hours to go. */
function whenAborted(signal: AbortSignal, sessions: readonly Session[]): Disposable {
  const end = (): void => {
    for (const session of sessions) void session[Symbol.asyncDispose](); // never rejects
  };
  signal.addEventListener("abort", end);
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", end) };
}

/**
 * Upstream before, this node after it has replayed past that, upstream again. Equal before and after means that no
 * commit came between, so this node's snapshot must be equal as well. An asynchronous commit may be visible a moment
 * before its WAL is written: hence the further rounds before a table is called different.
 */
async function compareTable(
  args: Args,
  table: TableName,
  own: Session,
  upstream: UpstreamSession,
  context: StepContext,
): Promise<TableResult> {
  const withContent = args.level === "content";
  let outcome: TableResult["outcome"] = "changed-meanwhile";
  let rows: number | null = null;
  for (let round = 0; round < rounds && outcome !== "equal"; round += 1) {
    if (outcome === "different") await context.clock.sleep(500, context.signal);
    let lsn = "";
    const before = await digestTable(upstream.session, table, withContent, async () => {
      lsn = await reachablePosition(upstream, context);
    });
    await awaitReplay(lsn, args.stallMs, own, upstream, context);
    const here = await digestHere(own, table, withContent);
    const after = await digestTable(upstream.session, table, withContent);
    rows = after.rows;
    if (here === null || !isSameDigest(before, after)) outcome = "changed-meanwhile";
    else outcome = isSameDigest(here, before) ? "equal" : "different";
  }
  return { database: table.database, table: `${table.schema}.${table.table}`, outcome, rows };
}

/** null when replay and our snapshot got into each other's way: the table was changed, or cleaned up. */
async function digestHere(
  own: Session,
  table: TableName,
  withContent: boolean,
): Promise<TableDigest | null> {
  try {
    return await digestTable(own, table, withContent);
  } catch (error) {
    if (sqlStateOf(error)?.startsWith("40") === true) return null;
    throw error;
  }
}

function describe({ database, table, outcome, rows }: TableResult): string {
  return `${database}: ${table} ${outcome}, ${rows ?? "?"} rows`;
}
