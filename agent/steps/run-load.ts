import * as z from "zod";
import { commands, type CommandArgs } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { Row, Session, StepContext } from "../ports.ts";
import { askForAWhile } from "./ask-for-a-while.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { count, text } from "./row-values.ts";
import type { ChangeStep } from "./step.ts";

type Args = CommandArgs<"run-load">;

const Told = commands["run-load"].result.omit({ alreadyDone: true, lines: true, files: true });
const LoadFacts = z.object({ told: Told.nullable() });

/** A session is led to one standby for its life: only new ones meet another. */
const readsPerSession = 20;
/** Until the pool answers again, after the time is over. */
const patienceMs = 30_000;

/** What an application feels: it asks one thing after the other, and replaces a session that ends at once. */
export const runLoad: ChangeStep<"run-load"> = {
  check: () => Promise.resolve(null),
  apply: async (args, context) => {
    const { clock } = context;
    const table = tableOf(context);
    await noteOwn(context, ledgerKey.load, { told: null });
    await throughPool(args, context, async (session) => {
      await session.query(`DROP TABLE IF EXISTS ${table}`);
      await session.query(`CREATE TABLE ${table} (id integer PRIMARY KEY)`);
    });
    crashPoint("step:load-table-made");
    const untilMs = clock.elapsedMs() + args.forMs;
    const acknowledged: number[] = [];
    let id = 0;
    const write = async (session: Session): Promise<void> => {
      id += 1;
      const row = id;
      await session.query(`INSERT INTO ${table} VALUES (${row})`);
      acknowledged.push(row);
    };
    const connect = () => connectPool(args, context);
    const [writes, reads] = await Promise.all([
      askForAWhile(write, { connect, untilMs, perSession: Infinity }, context),
      askForAWhile((session) => session.query("SELECT 1"), { connect, untilMs, perSession: readsPerSession }, context), // prettier-ignore
    ]);
    const kept = await throughPool(
      args,
      context,
      (session) =>
      // Locked rows are read from the primary alone, however a pool balances.
      session.query(`SELECT id, host(inet_server_addr()) AS address, CAST(inet_server_port() AS text) AS port FROM ${table} FOR SHARE`), // prettier-ignore
    );
    await drop(args, context);
    const ids = new Set(kept.map((row) => count(row, "id")));
    const lost = acknowledged.filter((row) => !ids.has(row)).length;
    const sinceFirstRowMs = clock.elapsedMs() - writes.firstAtMs;
    const told = { writes: writes.felt, reads: reads.felt, lost, primary: whoIs(kept[0]), sinceFirstRowMs }; // prettier-ignore
    await noteOwn(context, ledgerKey.load, { told });
  },
  verify: async (_args, context) => {
    const told = (await ownFacts(context, ledgerKey.load, LoadFacts))?.told ?? null;
    if (told === null) throw new Failure("VERIFICATION_FAILED", "the client did not come to its end"); // prettier-ignore
    const { writes, reads, lost } = told;
    const lines = [
      `${writes.answered} rows acknowledged, ${writes.failed} failed, ${lost} lost; longest wait ${Math.round(writes.longestGapMs)} ms`,
      `${reads.answered} reads answered, ${reads.failed} failed; longest wait ${Math.round(reads.longestGapMs)} ms`,
    ];
    return { ...evidence(lines), ...told };
  },
  undo: async (args, context) => {
    if ((await ownFacts(context, ledgerKey.load, LoadFacts)) === null) {
      return evidence(["this operation made no table"]);
    }
    await drop(args, context);
    await context.ledger.delete(ledgerKey.load);
    return evidence([`${tableOf(context)} is dropped`]);
  },
};

function tableOf({ operationId }: StepContext): string {
  return `castellan_drill_${operationId.replaceAll("-", "_")}`;
}

function whoIs(row: Row | undefined): string {
  return row === undefined ? "nobody" : `${text(row, "address")}:${text(row, "port")}`;
}

async function drop(args: Args, context: StepContext): Promise<void> {
  await throughPool(args, context, (session) =>
    session.query(`DROP TABLE IF EXISTS ${tableOf(context)}`),
  );
}

function connectPool({ pool }: Args, { databases }: StepContext): Promise<Session> {
  const login = { ...pool, replication: false, secret: "database" as const };
  return databases.connect(login, { timeoutMs: 2_000, queryTimeoutMs: 10_000 });
}

/** A pool that is failing over ends sessions: tried anew for a while. */
async function throughPool<T>(
  args: Args,
  context: StepContext,
  work: (session: Session) => Promise<T>,
): Promise<T> {
  const { clock, signal } = context;
  const untilMs = clock.elapsedMs() + patienceMs;
  for (;;) {
    try {
      await using session = await connectPool(args, context);
      return await work(session);
    } catch (error) {
      if (clock.elapsedMs() > untilMs) throw error;
      await clock.sleep(200, signal);
    }
  }
}
