import type { ArchiverFacts, DatabaseFacts, SlotRow } from "#shared/domain/facts.ts";
import { maskConninfo } from "#shared/config-files/conninfo.ts";
import { lsnDistance } from "#shared/domain/lsn.ts";
import type { Dialect } from "#shared/products/product.ts";
import type { Row, Session } from "../ports.ts";
import { flagOf, numberOf, rowOfJson, textOf } from "./row-values.ts";

/** What moves from second to second: asked in one round trip. */
type DatabaseStatus = Pick<
  DatabaseFacts,
  | "role"
  | "systemIdentifier"
  | "timeline"
  | "position"
  | "receivedPosition"
  | "replayedAt"
  | "replication"
  | "receiver"
  | "clientSessions"
> & {
  readonly slots: readonly SlotStatus[];
  readonly archiver: Omit<ArchiverFacts, "backlog"> | null;
};

/** What the server says of a slot; when it was made is for its directory to tell. */
export type SlotStatus = Omit<SlotRow, "madeAt" | "seenAt">;

type Part = keyof Pick<
  Dialect,
  | "isInRecovery"
  | "currentPosition"
  | "currentWalFile"
  | "standbyPositions"
  | "replication"
  | "slots"
  | "receiver"
  | "archiver"
  | "clientSessions"
  | "control"
  | "synchronousNames"
>;
type Rows = Readonly<Partial<Record<Part, readonly Row[]>>>;

/** Of this host's own database. */
const ownParts: readonly Part[] = [
  "isInRecovery",
  "currentPosition",
  "currentWalFile",
  "standbyPositions",
  "replication",
  "slots",
  "receiver",
  "archiver",
  "clientSessions",
  "control",
];
/** Whether it is the primary, and who streams. */
export const streamParts: readonly Part[] = ["isInRecovery", "replication", "receiver"];
/** What another node has to know of it. */
export const peerParts: readonly Part[] = [
  "isInRecovery",
  "currentPosition",
  "currentWalFile",
  "standbyPositions",
  "replication",
  "receiver",
  "control",
  "synchronousNames",
];

/** Every part as rows of JSON in one statement: one round trip, one parse, one session. */
function statusQuery(parts: ReturnType<typeof partsOf>): string {
  return parts
    .map(
      ([part, sql]) =>
        `SELECT '${part}' AS part, CAST(row_to_json(q) AS text) AS content FROM (${sql}) q`,
    )
    .join("\nUNION ALL ");
}

function partsOf(dialect: Dialect, wanted: readonly Part[]): readonly (readonly [Part, string])[] {
  // These may only be asked of a primary; the sub-select behind ELSE is not run on a standby.
  const ofPrimary = (sql: string, name: string): string =>
    `SELECT CASE WHEN (${dialect.isInRecovery}) THEN NULL ELSE (${sql}) END AS ${name}`;
  return wanted.flatMap((part): readonly (readonly [Part, string])[] => {
    const sql = dialect[part];
    if (sql === null) return [];
    if (part === "currentPosition") return [[part, ofPrimary(sql, "lsn")]];
    return [[part, part === "currentWalFile" ? ofPrimary(sql, "file") : sql]];
  });
}

export type StatusAnswer = {
  readonly status: Partial<DatabaseStatus>;
  /** null where it was not asked. */
  readonly synchronousStandbyNames: string | null;
  /** Of a standby: since when nothing came from its upstream, by the server's own clock; null without a receiver. */
  readonly messageAgeMs: number | null;
  /** Parts that could not be asked, with the server's words. */
  readonly problems: readonly string[];
};

/** @throws whatever the session throws when not even the first part can be asked. */
export async function askStatus(
  session: Pick<Session, "query">,
  dialect: Dialect,
  wanted = ownParts,
): Promise<StatusAnswer> {
  const parts = partsOf(dialect, wanted);
  const together = await session.query(statusQuery(parts));
  const rows: Partial<Record<string, Row[]>> = {};
  for (const row of together) {
    const content = textOf(row, "content");
    const parsed = content === null ? null : rowOfJson(content);
    if (parsed !== null) (rows[textOf(row, "part") ?? ""] ??= []).push(parsed);
  }
  const all = Object.fromEntries(parts.map(([part]) => [part, rows[part] ?? []]));
  return answerOf(all, []);
}

/** One by one, for a server that refuses the whole: what fails is left out and named. */
export async function askStatusInParts(
  session: Pick<Session, "query">,
  dialect: Dialect,
  wanted = ownParts,
): Promise<StatusAnswer> {
  const rows: Partial<Record<Part, readonly Row[]>> = {};
  const problems: string[] = [];
  rows.isInRecovery = await session.query(dialect.isInRecovery);
  for (const [part, sql] of partsOf(dialect, wanted)) {
    if (part === "isInRecovery") continue;
    try {
      rows[part] = await session.query(sql);
    } catch (error) {
      problems.push(`${part}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return answerOf(rows, problems);
}

function answerOf(rows: Rows, problems: readonly string[]): StatusAnswer {
  const [names] = rows.synchronousNames ?? [];
  const synchronousStandbyNames = names === undefined ? null : textOf(names, "names");
  const [receiver] = rows.receiver ?? [];
  const messageAgeMs = receiver === undefined ? null : numberOf(receiver, "message_age_ms");
  return { status: statusOf(rows), synchronousStandbyNames, messageAgeMs, problems };
}

function statusOf(rows: Rows): Partial<DatabaseStatus> {
  const recovery = rows.isInRecovery?.[0];
  const isStandby = recovery === undefined ? null : flagOf(recovery, "standby");
  const standby = rows.standbyPositions?.[0];
  const current = rows.currentPosition?.[0];
  const received = standby === undefined ? null : textOf(standby, "received");
  const replayed = standby === undefined ? null : textOf(standby, "replayed");
  const written = current === undefined ? null : textOf(current, "lsn");
  const end = isStandby === true ? (received ?? replayed) : written;
  const receiver = rows.receiver === undefined ? undefined : receiverOf(rows.receiver[0]);
  const control = rows.control?.[0];
  // Of a standby its receiver, of a primary what it writes: the control file has the last checkpoint's, which may be older.
  const writtenTimeline = receiver?.timeline ?? timelineOf(rows.currentWalFile?.[0]) ?? 0;
  const checkpointTimeline = control === undefined ? 0 : (numberOf(control, "timeline") ?? 0);
  const timeline = Math.max(writtenTimeline, checkpointTimeline);
  const archiver = rows.archiver?.[0];
  const sessions = rows.clientSessions?.[0];
  return {
    ...(isStandby === null ? {} : { role: isStandby ? "standby" : "primary" }),
    position: isStandby === true ? replayed : written,
    receivedPosition: isStandby === true ? received : null,
    replayedAt:
      isStandby === true && standby !== undefined ? numberOf(standby, "replayed_at") : null,
    ...(rows.replication === undefined ? {} : { replication: rows.replication.map(replicationOf) }),
    ...(rows.slots === undefined
      ? {}
      : { slots: rows.slots.map((row) => slotOf(row, end, rows.replication ?? [])) }),
    ...(receiver === undefined ? {} : { receiver }),
    ...(control === undefined ? {} : { systemIdentifier: textOf(control, "system_identifier") }),
    ...(timeline === 0 ? {} : { timeline }),
    ...(archiver === undefined
      ? {}
      : {
          archiver: {
            archivedCount: numberOf(archiver, "archived_count") ?? 0,
            lastArchivedWal: textOf(archiver, "last_archived_wal"),
            lastArchivedAt: numberOf(archiver, "last_archived_at"),
            failedCount: numberOf(archiver, "failed_count") ?? 0,
            lastFailedWal: textOf(archiver, "last_failed_wal"),
            lastFailedAt: numberOf(archiver, "last_failed_at"),
          },
        }),
    ...(sessions === undefined ? {} : { clientSessions: numberOf(sessions, "n") ?? 0 }),
  };
}

/** `00000002000000000000000A` is written on timeline 2 (PostgreSQL docs, WAL internals). */
function timelineOf(row: Row | undefined): number | null {
  const file = row === undefined ? null : textOf(row, "file");
  return file === null || !/^[0-9A-F]{24}$/i.test(file)
    ? null
    : Number.parseInt(file.slice(0, 8), 16);
}

export function replicationOf(row: Row): DatabaseFacts["replication"][number] {
  return {
    applicationName: textOf(row, "application_name") ?? "",
    clientAddress: textOf(row, "client_addr"),
    state: textOf(row, "state") ?? "",
    syncState: textOf(row, "sync_state") ?? "",
    sentLsn: textOf(row, "sent"),
    writeLsn: textOf(row, "write"),
    flushLsn: textOf(row, "flush"),
    replayLsn: textOf(row, "replay"),
  };
}

function slotOf(row: Row, end: string | null, senders: readonly Row[]): SlotStatus {
  const restartLsn = textOf(row, "restart_lsn");
  const retained = lsnDistance(restartLsn, end);
  const activePid = numberOf(row, "active_pid");
  const sender = senders.find(
    (other) => activePid !== null && numberOf(other, "pid") === activePid,
  );
  return {
    name: textOf(row, "name") ?? "",
    type: textOf(row, "type") ?? "",
    plugin: textOf(row, "plugin"),
    database: textOf(row, "database"),
    temporary: flagOf(row, "temporary"),
    active: flagOf(row, "active"),
    activePid,
    client:
      sender === undefined
        ? null
        : `${textOf(sender, "application_name") ?? ""} ${textOf(sender, "client_addr") ?? "local"}`.trim(),
    restartLsn,
    retainedBytes: retained === null ? null : Math.max(0, retained),
    xmin: textOf(row, "xmin"),
    xminAge: numberOf(row, "xmin_age"),
    catalogXmin: textOf(row, "catalog_xmin"),
    catalogXminAge: numberOf(row, "catalog_xmin_age"),
    walStatus: textOf(row, "wal_status"),
  };
}

function receiverOf(row: Row | undefined): DatabaseFacts["receiver"] {
  if (row === undefined) return null;
  return {
    status: textOf(row, "status") ?? "",
    slot: textOf(row, "slot_name"),
    conninfo: masked(textOf(row, "conninfo") ?? ""),
    timeline: numberOf(row, "timeline"),
  };
}

let lastMasked = { text: "", masked: "" };

/** It is the same from look to look. */
function masked(text: string): string {
  if (text !== lastMasked.text) lastMasked = { text, masked: maskConninfo(text) };
  return lastMasked.masked;
}
