import type { NodePaths, PoolKind, PoolPaths, ProductId } from "../domain/cluster.ts";
import type { FileFormat } from "../domain/facts.ts";
import { kingbaseV8R3 } from "./kingbase-v8r3.ts";
import { postgresql } from "./postgresql.ts";

/** Everything that differs between the products. Nothing else in the code asks which product it is. */
export type Product = {
  readonly id: ProductId;
  readonly title: string;
  readonly programs: {
    readonly server: string;
    readonly ctl: string;
    readonly baseBackup: string;
    readonly controlData: string;
    readonly rewind: string;
  };
  /** Environment variable of the client library that names the password file. */
  readonly passwordFileVariable: "PGPASSFILE" | "KCIPASSFILE";
  readonly files: {
    /** Server configuration's name inside a data directory (where it is inside). */
    readonly conf: string;
    readonly autoConf: string;
    readonly hba: string;
    readonly ident: string;
    /** First line: pid of the postmaster. */
    readonly pid: string;
    readonly version: string;
  };
  readonly defaults: {
    readonly port: number;
    readonly database: string;
    readonly maintenanceUser: string;
    readonly replicationUser: string;
    readonly osUser: string;
    readonly pool: PoolKind;
  };
  /** How a server of this version is told to be a standby. */
  readonly standbyStyle: (versionNumber: number) => StandbyStyle;
  /** Does a reload lead a running standby to another upstream? Otherwise only a start does. */
  readonly followsByReload: (versionNumber: number) => boolean;
  /** Of the rewind of a server that is known to be cleanly stopped; `source` is a connection string without a password. */
  readonly rewindArguments: (
    dataDirectory: string,
    source: string,
    versionNumber: number,
  ) => readonly string[];
  /** How the password stands in primary_conninfo in a file. */
  readonly standbyPassword: "base64" | "clear";
  readonly dialect: (versionNumber: number) => Dialect;
  /** Default places below the cluster's root, for what a person did not say. */
  readonly layout: (place: {
    readonly root: string | null;
    readonly versionNumber: number | null;
  }) => NodePaths;
  readonly poolLayout: (root: string | null) => PoolPaths;
  /** Files whose change is drift, on any node and on those that run the pool; `home` is that of the database's OS user. */
  readonly watchedFiles: (
    paths: NodePaths,
    pool: PoolPaths | null,
    home: string,
  ) => readonly { readonly path: string; readonly format: FileFormat }[];
  /** Vendor machinery beside the server; null where the product has none. */
  readonly vendor: VendorMachinery | null;
};

export type StandbyStyle = "recovery-conf" | "standby-signal";

export type VendorMachinery = {
  /** Copies of HAmodule.conf on a node. */
  readonly haModuleFiles: (paths: NodePaths, pool: PoolPaths | null) => readonly string[];
  /** Template that recoveries copy over recovery.conf. */
  readonly recoveryTemplate: (root: string) => string;
  /** Master copy of the server configuration. */
  readonly confTemplate: (root: string) => string;
  /** Made empty on a new node. */
  readonly directories: (root: string) => readonly string[];
  readonly licenceFile: (root: string) => string;
  /** days: that the licence is good for */
  readonly licenceDays: string;
  readonly cronFile: string;
  readonly runFlagFile: string;
  /** The crond check of every data node and of management nodes. */
  readonly nodeCheck: (binDirectory: string) => string;
  readonly poolCheck: (root: string) => string;
};

/**
 * SQL by what it answers. Every result column has the same lower-case alias in every dialect;
 * text results are plain text, so that no driver type differs.
 */
export type Dialect = {
  readonly isInRecovery: string;
  /** primary: lsn */
  readonly currentPosition: string;
  /** primary: file; its first eight digits are the timeline that is written now, checkpoint or not */
  readonly currentWalFile: string;
  /** primary: lsn; safely on disk, which is as far as a standby ever gets */
  readonly flushedPosition: string;
  /** primary: commits nothing under a transaction id; the WAL writer, asleep for up to 5 s, flushes all of it */
  readonly flushWal: string;
  /** standby: received, replayed, replayed_at (ms, when the last commit replayed was made) */
  readonly standbyPositions: string;
  /** pid, application_name, client_addr, state, sync_state, sent, write, flush, replay */
  readonly replication: string;
  /** name, type, plugin, database, temporary, active, active_pid, restart_lsn, xmin, xmin_age, catalog_xmin, catalog_xmin_age, wal_status */
  readonly slots: string;
  /** status, slot_name, conninfo, timeline, message_age_ms by the server's own clock; no row where there is no receiver */
  readonly receiver: string;
  /** ahead_ms: the upstream's clock at the last message of its stream; no row where there is no receiver */
  readonly upstreamClock: string;
  /** $1 name, $2 reserve immediately */
  readonly createSlot: string;
  /** $1 name */
  readonly dropSlot: string;
  /** $1 slot name: ends the walsender that holds it */
  readonly terminateSlotHolder: string;
  /** $1 label of a base backup: ends the walsender that sends it; ended */
  readonly terminateCopy: string;
  readonly reload: string;
  /** line, error: lines of the hba file that the server can't take; null where it has no such view */
  readonly hbaProblems: string | null;
  /** names: the value of synchronous_standby_names in force */
  readonly synchronousNames: string;
  /** name, setting (all of them), pending_restart */
  readonly settings: string;
  /** name, file, line, place (later ones win), value, error: every line of the files that set something, read now */
  readonly fileSettings: string;
  /** name, value, unit, vartype, context, source, file, line, least, most, pending_restart */
  readonly runningSettings: string;
  /** loaded_at: when the server read its files last, in ms since the epoch; null where SQL can't tell */
  readonly configLoaded: string | null;
  /** name, bytes, encoding, collate */
  readonly databases: string;
  /** oid, name, location, bytes */
  readonly tablespaces: string;
  /** system_identifier, timeline (of a promotion before its first checkpoint, too); null where SQL can't tell: ask the control file */
  readonly control: string | null;
  /** archived_count, last_archived_wal, last_archived_at, failed_count, last_failed_wal, last_failed_at; times in ms since the epoch */
  readonly archiver: string;
  /** n: sessions of clients (not ours, not replication) */
  readonly clientSessions: string;
  /** name, version */
  readonly extensions: string;
  /** schema, table, bytes of user tables, largest first; $1 limit */
  readonly largestTables: string;
};

const products: { readonly [K in ProductId]: Product } = {
  "kingbase-v8r3": kingbaseV8R3,
  postgresql,
};

export function productOf(id: ProductId): Product {
  return products[id];
}
