import type { Login, Progress, SecretName } from "#shared/domain/commands.ts";
import type { NodeFacts } from "#shared/domain/facts.ts";
import type { Product } from "#shared/products/product.ts";
import type { Log } from "#shared/log.ts";
import type { Secret } from "#shared/secret.ts";
import type { Clock } from "#shared/time.ts";
import type { GuardView } from "./decide/view.ts";
import type { ClusterViewFile } from "./guard/cluster-view-file.ts";
import type { DecisionRing } from "./guard/decision-ring.ts";
import type { GuardModes } from "./guard/guard-modes.ts";
import type { GuardMarksFile } from "./guard/marks.ts";
import type { Reservations } from "./guard/reservations.ts";
import type { AgentSettings } from "./settings.ts";

/** What the agent's steps and observers need of the world. Implemented in adapters/, wired in main.ts. */
export type Ports = {
  readonly settings: AgentSettings;
  readonly product: Product;
  readonly clock: Clock;
  readonly log: Log;
  readonly programs: Programs;
  readonly files: Files;
  readonly databases: Databases;
  readonly secrets: Secrets;
  readonly rootHelper: RootHelper;
  readonly ledger: Ledger;
  readonly jobs: Jobs;
  readonly guardModes: GuardModes;
  readonly guardMarks: GuardMarksFile;
  readonly reservations: Reservations;
  readonly decisions: DecisionRing;
  readonly clusterView: ClusterViewFile;
  /** Look at everything again now; the result is also reported. */
  readonly observe: () => Promise<NodeFacts>;
  /** What the guard's latest look saw; null before the first. */
  readonly guardView: () => GuardView | null;
  /** Of the agent's user, which is the database's. */
  readonly home: string;
};

export type ProgramOptions = {
  readonly input?: string;
  /** Added to a minimal environment (PATH, LANG=C.UTF-8, HOME). Never a secret. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
};

export type ProgramResult = {
  /** null when it was ended by a signal or could not be started. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  /** Last lines, bounded. */
  readonly stderr: readonly string[];
  readonly durationMs: number;
  readonly timedOut: boolean;
};

export type Programs = {
  /**
   * Runs a program from an allowed directory with an argument list. Never rejects for an exit code.
   * @throws Failure REFUSED when the allow-list has no such directory; RESOURCE_MISSING when there is no such program.
   */
  run(program: string, args: readonly string[], options?: ProgramOptions): Promise<ProgramResult>;
};

export type FileSnapshot = {
  /** The bytes as latin1 text: one character a byte, so nothing is lost. */
  readonly text: string;
  /** sha256, hex. */
  readonly hash: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedAt: number;
};
export type FileAttributes = Pick<FileSnapshot, "mode" | "uid" | "gid">;

/** Bytes that watched files have had, on this host alone; bounded in number and size. */
export type FileVersions = {
  keep(path: string, version: FileSnapshot): Promise<void>;
  /** Never dropped, however many come after it: the accepted version of this file. */
  pin(path: string, hash: string | null): void;
  /** null where it was never kept, or is kept no longer. `modifiedAt` is when it was kept. */
  find(path: string, hash: string): Promise<FileSnapshot | null>;
  /** Everything that was to be kept by now is on disk. */
  idle(): Promise<void>;
};

/** Writes are refused outside the allow-list, with symbolic links resolved (Failure REFUSED). */
export type Files = {
  /** null where there is no such file. @throws Failure RESOURCE_MISSING for a directory, too large, unreadable. */
  read(path: string): Promise<FileSnapshot | null>;
  /**
   * Write beside, fsync, rename, fsync the folder. Owner and mode are kept (or `mode` for a new file);
   * the previous version is kept below the state directory. Answers the new hash.
   * @throws Failure OPERATION_CONFLICT (retryable), with nothing written, where the file is not `editedHash` any more, or
   * is changed by someone else while it is written
   */
  replace(path: string, text: string, mode?: number, editedHash?: string): Promise<string>;
  remove(path: string): Promise<void>;
  /** Another program has just written it because we had it do so (ALTER SYSTEM): no drift, as little as `replace` is. */
  edited(path: string, hash: string, from: string | null): void;
  /**
   * Brings a version back, mode and owner too (null: removes the file), only while `from` stands there. Not taken for an
   * edit of ours: what it makes is judged by the baseline alone. @throws as replace
   */
  restore(
    path: string,
    to: (FileAttributes & Pick<FileSnapshot, "text">) | null,
    from: string | null,
  ): Promise<void>;
  /** Of a file whose content is not to be read, links followed; null where there is none. */
  attributes(path: string): Promise<FileAttributes | null>;
  setAttributes(path: string, to: FileAttributes): Promise<void>;
  readonly versions: FileVersions;
  /** Makes the directory and missing parents; one that is there gets the mode. Answers those that it made, outermost first. */
  makeDirectory(path: string, mode: number): Promise<readonly string[]>;
  /** null where there is nothing. */
  stat(path: string): Promise<FileStat | null>;
  list(path: string): Promise<readonly string[]>;
  rename(from: string, to: string): Promise<void>;
  /** Removes a directory that is empty. A missing parent of an allowed place may be made and removed, too. */
  removeDirectory(path: string): Promise<void>;
  /** Removes a tree only if the directory still is that one. */
  removeTree(path: string, identity: FileIdentity): Promise<void>;
  filesystem(path: string): Promise<{
    readonly measuredAt: string;
    readonly device: number;
    readonly freeBytes: number;
    readonly totalBytes: number;
    readonly freeInodes: number;
    readonly type: string;
  }>;
};

export type FileIdentity = {
  readonly device: number;
  readonly inode: number;
  /** Nanoseconds since the epoch; "0" where the file system keeps no time of birth. */
  readonly bornNs: string;
};
export type FileStat = FileIdentity & {
  readonly kind: "file" | "directory" | "link" | "other";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
};

export type Row = Readonly<Record<string, unknown>>;

export type Session = AsyncDisposable & {
  /** Column names come back in lower case. @throws Failure with the SQLSTATE in its message. */
  query(sql: string, parameters?: readonly unknown[]): Promise<readonly Row[]>;
  /** `server_version_num`, e.g. 150018. */
  readonly versionNumber: number;
};

export type Databases = {
  /**
   * SQL on this host's own database over the one long-lived connection; queued, one at a time.
   * @throws Failure DATABASE_UNREACHABLE while there is no connection.
   */
  readonly own: Pick<Session, "query"> & { readonly versionNumber: number | null };
  /** A new session; the password comes from the host's store. @throws Failure DATABASE_UNREACHABLE or AUTHENTICATION_FAILED, SQLSTATE in the message. */
  connect(login: Login, options?: ConnectOptions): Promise<Session>;
  /** A new session to this host's own database, any database name. */
  connectOwn(database: string, options?: Pick<ConnectOptions, "isPatient">): Promise<Session>;
  /**
   * First column of the first row of one SELECT on this host's own database, in a read-only transaction of a session that
   * ends with it; undefined where there is no row. @throws Failure STALLED over the limit, or what the server says
   */
  firstValue(sql: string, limitMs: number, signal: AbortSignal): Promise<unknown>;
};

type ConnectOptions = {
  /** For the connection. */
  readonly timeoutMs?: number;
  /** For each query. */
  readonly queryTimeoutMs?: number;
  /** No limit for a query, however large the table: whoever asks ends the session to end the query. */
  readonly isPatient?: boolean;
};

export type Secrets = {
  get(name: SecretName): Promise<Secret | null>;
  names(): Promise<readonly SecretName[]>;
  /** A password file (0600, libpq format) for these logins, removed on dispose. */
  passwordFile(logins: readonly Login[]): Promise<AsyncDisposable & { readonly path: string }>;
};

/** The only way to anything that needs root: fixed verbs, no arguments but root-owned settings. */
export type RootHelper = {
  /** As remembered for some minutes, unless `fresh`. */
  verbs(fresh?: boolean): Promise<readonly string[]>;
  /** @throws Failure REFUSED when the sudoers line is missing; PROGRAM_FAILED with its message. */
  run(verb: string, input?: string): Promise<ProgramResult>;
  /** Starts the verb and keeps its stdin open, so that the moment of action costs no process start. */
  open(verb: string): Promise<RootHelperSession>;
};
export type RootHelperSession = AsyncDisposable & {
  /** Sends a line, answers the helper's next line. */
  ask(line: string): Promise<string>;
};

/** What we made on this host and may take back: written (fsynced) before the effect. */
export type Ledger = {
  get(key: string): Promise<LedgerEntry | null>;
  put(key: string, entry: LedgerEntry): Promise<void>;
  delete(key: string): Promise<void>;
  /** Keys that begin with `prefix`. */
  list(prefix: string): Promise<readonly { readonly key: string; readonly entry: LedgerEntry }[]>;
};
export type LedgerEntry = {
  readonly operationId: string;
  readonly at: number;
  readonly facts: Readonly<Record<string, unknown>>;
};

/** Detached jobs: they outlive the agent and are adopted again only when everything matches. */
export type Jobs = {
  /** Starts argv detached (own session, own folder, output to files) and answers at once. */
  start(job: JobRequest): Promise<JobState>;
  /** null where there is none of that name. Re-reads pid, /proc start time, boot id, exit status. */
  look(name: string): Promise<JobState | null>;
  /**
   * SIGTERM, then SIGKILL, to the job's exact process group; waits until it is gone. What an ended job left running
   * (a server; or the rest of a program that was killed) goes only where `leftovers` says so.
   */
  end(name: string, options?: { readonly leftovers?: boolean }): Promise<void>;
  /** Forgets an ended job's folder. */
  remove(name: string): Promise<void>;
  /** Pids of programs, jobs or not, that were told to work on this directory (`-D DIRECTORY`). */
  writersInto(directory: string): Promise<readonly number[]>;
};
export type JobRequest = {
  readonly name: string;
  readonly operationId: string;
  readonly generation: number;
  readonly program: string;
  /** Holds no secret: it is stored and stands in /proc. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Done by the job itself, so that it happens with the agent dead too. */
  readonly whenEnded?: {
    /** Files removed however it ends, e.g. its password file. */
    readonly remove: readonly string[];
    /** Empty files made when the exit code is 0, e.g. a marker. */
    readonly touchOnSuccess: readonly string[];
  };
};
export type JobState = {
  readonly name: string;
  readonly operationId: string;
  readonly generation: number;
  readonly pid: number;
  /** lost: not running and no exit status was written (killed, host went down). */
  readonly status: "running" | "ended" | "lost";
  readonly exitCode: number | null;
  readonly startedAt: number;
  readonly stderr: readonly string[];
};

/** What one execution of a command knows besides its arguments. */
export type StepContext = Ports & {
  readonly operationId: string;
  readonly stepId: string;
  readonly signal: AbortSignal;
  readonly progress: (progress: Progress) => void;
};
