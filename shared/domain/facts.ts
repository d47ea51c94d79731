import * as z from "zod";
import { ProductId, PoolKind } from "./cluster.ts";
import { GuardMode, NearMiss, RuleClass } from "./guard.ts";

/**
 * What one agent observes: whole and versioned, never a verdict. Each top-level section is replaced
 * as a whole when it changes (that is the "delta"). Times are ms since the epoch, sizes are bytes.
 */

export const HostFacts = z.strictObject({
  hostname: z.string(),
  bootId: z.string(),
  clockMs: z.number(),
  kernel: z.string(),
  architecture: z.string(),
  /** `ldd --version`'s number, e.g. 2.36; null on another libc. Collations follow it. */
  glibc: z.string().nullable(),
  user: z.strictObject({ name: z.string(), uid: z.int(), gid: z.int() }),
  addresses: z.array(
    z.strictObject({
      nic: z.string(),
      address: z.string(),
      prefix: z.int(),
      family: z.enum(["ipv4", "ipv6"]),
    }),
  ),
  memoryBytes: z.number(),
  limits: z.strictObject({ openFiles: z.number().nullable(), processes: z.number().nullable() }),
  /** Filesystems under the directories that matter (data, WAL, archive, tablespaces, state). */
  filesystems: z.array(
    z.strictObject({
      directory: z.string(),
      /** Nearest existing parent that was measured. */
      measuredAt: z.string(),
      device: z.number(),
      freeBytes: z.number(),
      totalBytes: z.number(),
      freeInodes: z.number(),
      type: z.string(),
    }),
  ),
  /** Can the root helper be called, and which of its verbs? Empty without the sudoers line. */
  rootHelperVerbs: z.array(z.string()),
  secrets: z.array(z.string()),
});
export type HostFacts = z.infer<typeof HostFacts>;

export const ReplicationRow = z.strictObject({
  applicationName: z.string(),
  clientAddress: z.string().nullable(),
  state: z.string(),
  syncState: z.string(),
  sentLsn: z.string().nullable(),
  writeLsn: z.string().nullable(),
  flushLsn: z.string().nullable(),
  replayLsn: z.string().nullable(),
});
export type ReplicationRow = z.infer<typeof ReplicationRow>;

const SlotRow = z.strictObject({
  name: z.string(),
  type: z.string(),
  /** Output plugin and database of a logical slot. */
  plugin: z.string().nullable(),
  database: z.string().nullable(),
  temporary: z.boolean(),
  active: z.boolean(),
  activePid: z.int().nullable(),
  /** Who streams through it: application name and address; null where nobody does. */
  client: z.string().nullable(),
  restartLsn: z.string().nullable(),
  /** WAL kept back for it; null where it reserves none. */
  retainedBytes: z.number().nullable(),
  xmin: z.string().nullable(),
  /** Transactions since then, in which nothing could be vacuumed away. */
  xminAge: z.number().nullable(),
  catalogXmin: z.string().nullable(),
  catalogXminAge: z.number().nullable(),
  /** From PostgreSQL 13 on: reserved, extended, unreserved, lost. */
  walStatus: z.string().nullable(),
  /** When the file system says that it was made; null where it can't tell. */
  madeAt: z.number().nullable(),
  /** This agent's first look at it since its own start. */
  seenAt: z.number(),
});
export type SlotRow = z.infer<typeof SlotRow>;

export const ArchiverFacts = z.strictObject({
  archivedCount: z.number(),
  lastArchivedWal: z.string().nullable(),
  lastArchivedAt: z.number().nullable(),
  failedCount: z.number(),
  lastFailedWal: z.string().nullable(),
  lastFailedAt: z.number().nullable(),
  /** Segments that wait to be archived: the server keeps them, whatever happens to slots. Null: nothing is archived here, or not to be read. */
  backlog: z
    .strictObject({
      count: z.int(),
      bytes: z.number(),
      oldestWal: z.string().nullable(),
      /** More entries than were counted. */
      isCut: z.boolean(),
    })
    .nullable(),
});
export type ArchiverFacts = z.infer<typeof ArchiverFacts>;

/** A setting that stands in a file and is not what the server uses. */
export const FileSetting = z.strictObject({
  name: z.string(),
  file: z.string(),
  line: z.int(),
  /** null: its line was taken out, and the server still uses what it said. */
  inFile: z.string().nullable(),
  inForce: z.string().nullable(),
  /**
   * overruled: another file, or the command line, says something else after it.
   * broken: the server would refuse the line, and with it every later reload or start.
   */
  state: z.enum(["waits-for-reload", "waits-for-restart", "overruled", "broken"]),
});
export type FileSetting = z.infer<typeof FileSetting>;

export const DatabaseFacts = z.strictObject({
  /** absent: no data directory; unreachable: a postmaster lives but gives no session. */
  status: z.enum(["absent", "stopped", "running", "unreachable"]),
  /** Why there is no session, in the server's words; never a secret. */
  problem: z.string().nullable(),
  postmasterPid: z.int().nullable(),
  hasStandbyMarker: z.boolean(),
  /** Left by a base backup of ours that was never finished. */
  hasIncompleteMarker: z.boolean(),
  role: z.enum(["primary", "standby"]).nullable(),
  systemIdentifier: z.string().nullable(),
  timeline: z.int().nullable(),
  versionText: z.string().nullable(),
  versionNumber: z.int().nullable(),
  /** `pg_basebackup --version` and the server binary's, as numbers like 150018; null if not found. */
  clientVersionNumber: z.int().nullable(),
  binaryVersionText: z.string().nullable(),
  /** Settings in force, by lower-case name: those that any check looks at. */
  settings: z.record(z.string(), z.string()),
  pendingRestart: z.array(z.string()),
  /** Left out where the server does not tell. */
  fileSettings: z.array(FileSetting).optional(),
  /** When it read its files last. */
  configLoadedAt: z.number().nullable().optional(),
  dataDirectory: z.string().nullable(),
  configFile: z.string().nullable(),
  hbaFile: z.string().nullable(),
  identFile: z.string().nullable(),
  /** Insert position of a primary, replay position of a standby. */
  position: z.string().nullable(),
  receivedPosition: z.string().nullable(),
  /** Of a standby: when the last commit that it has replayed was made, by its primary's clock; left out by agents of earlier versions. */
  replayedAt: z.number().nullable().optional(),
  replication: z.array(ReplicationRow),
  slots: z.array(SlotRow),
  receiver: z
    .strictObject({
      status: z.string(),
      slot: z.string().nullable(),
      conninfo: z.string(),
      timeline: z.int().nullable(),
    })
    .nullable(),
  /** Of a standby that receives nothing: why, as its upstream says. */
  upstreamProblem: z.string().nullable(),
  databases: z.array(
    z.strictObject({
      name: z.string(),
      bytes: z.number(),
      encoding: z.string(),
      collate: z.string(),
    }),
  ),
  tablespaces: z.array(
    z.strictObject({ oid: z.int(), name: z.string(), location: z.string(), bytes: z.number() }),
  ),
  extensions: z.array(z.strictObject({ name: z.string(), version: z.string() })),
  clientSessions: z.int(),
  archiver: ArchiverFacts.nullable(),
});
export type DatabaseFacts = z.infer<typeof DatabaseFacts>;

export const PoolRow = z.strictObject({
  id: z.int(),
  hostname: z.string(),
  port: z.int(),
  /** up, down, waiting, unused */
  status: z.string(),
  role: z.string(),
  weight: z.number(),
});
export type PoolRow = z.infer<typeof PoolRow>;

export const PoolFacts = z.strictObject({
  kind: PoolKind,
  status: z.enum(["running", "stopped", "unreachable"]),
  problem: z.string().nullable(),
  pid: z.int().nullable(),
  version: z.string().nullable(),
  rows: z.array(PoolRow),
  /** Does the watchdog name this host leader? null without a watchdog. */
  isLeader: z.boolean().nullable(),
  clientSessions: z.int(),
  settings: z.record(z.string(), z.string()),
});
export type PoolFacts = z.infer<typeof PoolFacts>;

export const FileFormat = z.enum([
  "server-conf",
  "auto-conf",
  "recovery-conf",
  "hba",
  "ident",
  "ha-module",
  "pool-conf",
  "pool-hba",
  "pool-passwd",
  "pcp-conf",
  "cron",
  "pass",
  "signal",
]);
export type FileFormat = z.infer<typeof FileFormat>;

/** What an agent saw in a file's secrets before it masked them: never the secret itself. */
export const FileNote = z.strictObject({
  line: z.int().positive(),
  code: z.enum(["well-known-password"]),
});
export type FileNote = z.infer<typeof FileNote>;

/** Of a file of format `pass` there is no other: from a hash of its content its password could be guessed. */
export const unreadHash = "0".repeat(64);

export const FileFacts = z.strictObject({
  path: z.string(),
  format: FileFormat,
  state: z.enum(["present", "absent", "unreadable", "not-a-file", "too-large"]),
  /** sha256 of the bytes, hex; `unreadHash` where they are not read. */
  hash: z.string().nullable(),
  /** `uid:gid` */
  owner: z.string().nullable(),
  /** The user's name on that host, where it has one. */
  ownerName: z.string().nullable().optional(),
  mode: z.int().nullable(),
  modifiedAt: z.number().nullable(),
  /** Drawn in by the server's configuration; left out for a file that the product has by itself. */
  origin: z.enum(["include", "include-dir"]).optional(),
  /** Content (latin1, byte-preserving) with every secret value masked; null for formats whose content never leaves. */
  maskedText: z.string().nullable(),
  /** Left out where there is nothing to note. */
  notes: z.array(FileNote).optional(),
});
export type FileFacts = z.infer<typeof FileFacts>;

export const GuardFinding = z.strictObject({
  rule: z.string(),
  because: z.string(),
  severity: z.enum(["info", "warning", "critical"]),
  since: z.number(),
  /** What enforce mode would do, in words. */
  would: z.array(z.string()),
  evidence: z.string(),
  /** What a person does; left out by agents of earlier versions. */
  next: z.string().optional(),
  /** In charge: what becomes of its steps now, or why they wait. */
  progress: z.string().optional(),
});
export type GuardFinding = z.infer<typeof GuardFinding>;

/** The file system that the WAL really lies on, and how fast it fills. */
export const WalDisk = z.strictObject({
  directory: z.string(),
  freeBytes: z.number(),
  totalBytes: z.number(),
  /** Over the last minute, by whoever writes there; null before enough looks, or while it does not fill. */
  fillBytesPerSecond: z.number().nullable(),
  secondsToFull: z.number().nullable(),
});
export type WalDisk = z.infer<typeof WalDisk>;

/** A periodic check. What may be left out is so by agents of earlier versions. */
export const CheckFacts = z.strictObject({
  name: z.string(),
  schedule: z.string(),
  lastRunAt: z.number().nullable(),
  /** One line: what it found, or what it looked at. */
  lastResult: z.string().nullable(),
  /** Of what it found; null: nothing. */
  severity: GuardFinding.shape.severity.nullable().optional(),
  tookMs: z.number().nullable().optional(),
  nextRunAt: z.number().optional(),
  /** A plugin's figures, as it printed them. */
  perfdata: z.string().optional(),
});
export type CheckFacts = z.infer<typeof CheckFacts>;

export const GuardFacts = z.strictObject({
  mode: GuardMode.shape.mode,
  /** Of maintenance; left out by agents of earlier versions. */
  maintenance: GuardMode.omit({ mode: true }).nullable().optional(),
  /** What is in force once maintenance is over; left out by agents of earlier versions. */
  lasting: z.enum(["observe", "enforce"]).optional(),
  /** What of the vendor's acts by itself here; left out by agents of earlier versions. */
  vendorAtWork: z.string().nullable().optional(),
  /** What of this node the guard leaves to others for now; left out by agents of earlier versions. */
  reserved: z.array(z.strictObject({ class: RuleClass, by: z.string() })).optional(),
  /** Rules that are not far from a finding. */
  nearMisses: z.array(NearMiss).optional(),
  /** Without a majority of these voters for so long this node takes no write. Left out by agents of earlier versions. */
  selfFence: z
    .strictObject({ withinMs: z.number(), voters: z.array(z.string()) })
    .nullable()
    .optional(),
  /** Nodes that its own looks do not reach, and since when, by its clock. Left out by agents of earlier versions. */
  silent: z.array(z.strictObject({ node: z.string(), since: z.number() })).optional(),
  walDisk: WalDisk.nullable(),
  findings: z.array(GuardFinding),
  checks: z.array(CheckFacts),
});
export type GuardFacts = z.infer<typeof GuardFacts>;

export const AgentFacts = z.strictObject({
  version: z.string(),
  startedAt: z.number(),
  product: ProductId,
  /** Verbs that this host's own allow-list admits. */
  verbs: z.array(z.string()),
  poolKind: PoolKind,
  root: z.string().nullable(),
  binDirectory: z.string(),
  dataDirectory: z.string(),
  databasePort: z.int(),
  startMode: z.enum(["unit", "ctl"]),
  /** Slots that we made on this node, from the agent's ledger. */
  ownSlots: z.array(
    z.strictObject({
      name: z.string(),
      operationId: z.string(),
      forNode: z.string(),
      /** Its own, or this host's general one. */
      walBudgetBytes: z.number(),
      madeAt: z.number(),
      /** Made to hold WAL at once: its node was to stream from here. */
      reserve: z.boolean(),
      /** It was there after it was made; before, an operation may be at it. */
      isSeen: z.boolean(),
      /** Someone dropped ours and made another of this name: not ours any more. */
      isReplaced: z.boolean(),
    }),
  ),
  /** Slots of ours that the WAL budget took away, while their nodes don't stream again. */
  droppedSlots: z.array(
    z.strictObject({
      name: z.string(),
      operationId: z.string(),
      forNode: z.string(),
      droppedAt: z.number(),
      rule: z.string(),
      reason: z.string(),
      /** The node streamed from here, as far as this host can tell. */
      needsRebuild: z.boolean(),
    }),
  ),
});
export type AgentFacts = z.infer<typeof AgentFacts>;

export const NodeFacts = z.strictObject({
  agent: AgentFacts,
  host: HostFacts,
  database: DatabaseFacts,
  pool: PoolFacts.nullable(),
  files: z.array(FileFacts),
  guard: GuardFacts,
});
export type NodeFacts = z.infer<typeof NodeFacts>;

/** Sections that changed since `base`; a receiver that does not hold `base` asks for the whole. */
export const FactsDelta = NodeFacts.partial();
export type FactsDelta = z.infer<typeof FactsDelta>;
