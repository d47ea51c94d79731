import type { Login } from "#shared/domain/commands.ts";
import { partingOf } from "#shared/domain/timeline-history.ts";
import { greaterLsn, lsnDistance } from "#shared/domain/lsn.ts";
import { Failure } from "#shared/errors.ts";
import type { Dialect } from "#shared/products/product.ts";
import { readSmallFile } from "../adapters/local-system.ts";
import { ClosingStack } from "../closing-stack.ts";
import { walDirectory } from "../observe/host.ts";
import { timelineOnDisk } from "../observe/wal-timeline.ts";
import type { Session } from "../ports.ts";
import { ownDialect } from "../steps/own-dialect.ts";
import { flag, text } from "../steps/row-values.ts";
import type { GuardStepContext } from "./steps/step.ts";

/** Whom this node is to follow, as a step names it. */
export type NewPrimary = { readonly node: string; readonly host: string; readonly port: number };

/** Looked at right before the effect: whatever the view said, this is what it is now. */
export type SeenPrimary = AsyncDisposable & {
  readonly session: Session;
  readonly dialect: Dialect;
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** What it has on its disk, as a position. */
  readonly position: string;
  /** Empty on timeline 1, which has none. */
  readonly history: string;
};

const connectMs = 3_000;

/**
 * Two sessions on it, at once: what only a walsender tells (IDENTIFY_SYSTEM, TIMELINE_HISTORY) needs the replication
 * login, which a standby of it needs anyway. @throws Failure REFUSED where it is no primary
 */
export async function seePrimary(
  { node, host, port }: NewPrimary,
  context: GuardStepContext,
): Promise<SeenPrimary> {
  const { databases, view } = context;
  if (view.cluster === null) {
    throw new Failure("REFUSED", "this host has not been told of its cluster yet", {
      retryable: true,
    });
  }
  const { name: database, maintenanceUser, replicationUser } = view.cluster.database;
  const place = { host, port, database };
  const sessions = new ClosingStack();
  const open = async (login: Login): Promise<Session> =>
    sessions.use(await databases.connect(login, { timeoutMs: connectMs }));
  const both = Promise.all([
    open({ ...place, user: maintenanceUser, replication: false, secret: "database" }),
    open({ ...place, user: replicationUser, replication: true, secret: "replication" }),
  ]);
  try {
    const [session, walsender] = await both;
    return {
      ...(await look(node, session, walsender, context)),
      [Symbol.asyncDispose]: () => sessions[Symbol.asyncDispose](),
    };
  } catch (error) {
    await sessions[Symbol.asyncDispose]();
    throw error;
  }
}

async function look(
  node: string,
  session: Session,
  walsender: Session,
  { product }: GuardStepContext,
): Promise<Omit<SeenPrimary, keyof AsyncDisposable>> {
  const dialect = product.dialect(session.versionNumber);
  const [role] = await session.query(dialect.isInRecovery);
  if (flag(role, "standby")) {
    throw new Failure("REFUSED", `${node} is a standby itself`, { retryable: true });
  }
  const [identity] = await walsender.query("IDENTIFY_SYSTEM");
  if (identity === undefined) throw new Failure("INTERNAL", "IDENTIFY_SYSTEM gave no row");
  const timeline = Number(text(identity, "timeline"));
  const [file] = timeline > 1 ? await walsender.query(`TIMELINE_HISTORY ${timeline}`) : [];
  return {
    session,
    dialect,
    systemIdentifier: text(identity, "systemid"),
    timeline,
    position: text(identity, "xlogpos"),
    history: content(file?.["content"]),
  };
}

/** Bytes, or text where the server says so (from version 15 on). */
function content(value: unknown): string {
  if (Buffer.isBuffer(value)) return value.toString("latin1");
  return typeof value === "string" ? value : "";
}

/** How far this host's own WAL goes, and on which timeline; that one's history is empty on timeline 1. */
export type OwnWal = Pick<SeenPrimary, "timeline" | "position" | "history">;

/** null: this host's WAL is a beginning of the primary's; else what it has that the primary has not, in words. */
export function divergence(
  own: OwnWal,
  primary: Pick<SeenPrimary, "timeline" | "position" | "history">,
): string | null {
  // prettier-ignore
  const { timeline, position } = primary;
  if (own.timeline > timeline) return `timeline ${own.timeline} here is newer than its ${timeline}`;
  const parted = partingOf(own, primary);
  if (parted === null) {
    return `timeline ${own.timeline} is not in the history of its timeline ${timeline}`;
  }
  const fork = parted.at ?? position;
  const beyond = lsnDistance(fork, own.position) ?? 0;
  if (beyond <= 0) return null;
  return parted.at === null
    ? `this node's WAL goes to ${own.position}, the primary's to ${fork} on the same timeline ${timeline}`
    : `timeline ${parted.timeline} was left at ${fork} and this node's WAL goes to ${own.position}`;
}

/** Of a running standby. */
export async function ownStandbyWal(context: GuardStepContext): Promise<OwnWal> {
  const { databases, settings, view } = context;
  const dialect = await ownDialect(context);
  const [row] = await databases.own.query(dialect.standbyPositions);
  const position =
    row === undefined ? null : greaterLsn(text(row, "received"), text(row, "replayed"));
  if (position === null) {
    throw new Failure("DATABASE_UNREACHABLE", "this standby has replayed nothing yet", {
      retryable: true,
    });
  }
  const wal = await walDirectory(settings.paths.dataDirectory);
  const { database } = view.facts;
  const onDisk = await timelineOnDisk(wal, position, database.settings);
  const timeline = Math.max(database.timeline ?? 1, onDisk);
  const history = await historyOf(timeline, wal);
  // Unknown is not another way: nothing is rewound for a file that somebody removed.
  if (history === null) throw new Failure("NOT_FOUND", `${wal} has no history of its timeline ${timeline}`); // prettier-ignore
  return { timeline, position, history };
}

/** Of a timeline in that directory of WAL; empty on timeline 1, which has none. */
export async function historyOf(timeline: number, wal: string): Promise<string | null> {
  if (timeline === 1) return "";
  const name = timeline.toString(16).toUpperCase().padStart(8, "0");
  return readSmallFile(`${wal}/${name}.history`);
}
