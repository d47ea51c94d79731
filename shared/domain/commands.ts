import * as z from "zod";
import { ChangedFile } from "./changed-file.ts";
import { ClusterDeclaration, NodeDeclaration } from "./cluster.ts";
import { FileFormat } from "./facts.ts";
import { GuardMode, mostMaintenanceMs } from "./guard.ts";
import {
  AbsolutePath,
  Address,
  Identifier,
  Lsn,
  Name,
  OperationId,
  Port,
  SlotName,
} from "./names.ts";

/**
 * The typed verbs an agent can execute: arguments in, result out. The union of commands, the agent's
 * executors and the plan printer all follow from this one map; there is no verb outside it.
 * `effect`: read changes nothing; change makes or edits something of ours and can be undone; set gives the agent's own
 * guard a state, and is no part of an operation; destroy is what only undo may do.
 */

/** Secrets are named slots: the value comes from the host's own store, never over the wire. */
export const SecretName = z.enum(["database", "replication", "pcp"]);
export type SecretName = z.infer<typeof SecretName>;

export const Login = z.strictObject({
  host: Address,
  port: Port,
  user: Identifier,
  database: Identifier,
  replication: z.boolean(),
  secret: SecretName,
});
export type Login = z.infer<typeof Login>;

export const HbaRule = z.strictObject({
  type: z.enum(["host", "hostssl", "hostnossl"]),
  database: z.string().regex(/^[^\s"#]+$/),
  user: z.string().regex(/^[^\s"#]+$/),
  /** CIDR, e.g. 192.168.4.159/32 */
  address: z.string().regex(/^[0-9A-Fa-f.:]+\/\d{1,3}$/),
  /** Only such that ask for a password: no command lets anybody in without one. */
  method: z.enum(["md5", "scram-sha-256"]),
});
export type HbaRule = z.infer<typeof HbaRule>;

export const Upstream = z.strictObject({
  node: Name,
  host: Address,
  port: Port,
  user: Identifier,
  database: Identifier,
});
export type Upstream = z.infer<typeof Upstream>;

/** Files as they stood when the plan was made (null: absent); left out by plans of earlier versions. */
const PlannedFiles = z
  .array(z.strictObject({ path: AbsolutePath, hash: z.string().nullable() }))
  .optional();
export type PlannedFiles = z.infer<typeof PlannedFiles>;

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const TablespaceMapping = z.strictObject({ from: AbsolutePath, to: AbsolutePath });

export const BackendRow = z.strictObject({
  id: z.int().nonnegative(),
  hostname: Address,
  port: Port,
  weight: z.number().nonnegative(),
  dataDirectory: AbsolutePath,
  applicationName: Name,
});
export type BackendRow = z.infer<typeof BackendRow>;

/** What names one node in a shared file of another. */
export const NodeEntry = z.discriminatedUnion("of", [
  z.strictObject({
    of: z.literal("hba"),
    file: AbsolutePath,
    /** Lines for exactly this client and no other role than these. */
    address: z.string().regex(/^[0-9A-Fa-f.:]+\/\d{1,3}$/),
    users: z.array(z.string()).min(1),
  }),
  z.strictObject({ of: z.literal("ha-lists"), file: AbsolutePath, node: Name, address: Address }),
  z.strictObject({
    of: z.literal("pool"),
    file: AbsolutePath,
    row: BackendRow,
    /** A higher number is in use: the row stays, and a comment says that it is a spare. */
    isSpare: z.boolean(),
  }),
]);
export type NodeEntry = z.infer<typeof NodeEntry>;

/** HAmodule.conf from the model: a value is text or the name of a secret (written base64). */
export const HaModuleModel = z.strictObject({
  scalars: z.array(
    z.strictObject({
      key: z.string(),
      value: z.union([z.string(), z.strictObject({ secret: SecretName })]),
    }),
  ),
  arrays: z.array(z.strictObject({ key: z.string(), values: z.array(z.string()) })),
});
export type HaModuleModel = z.infer<typeof HaModuleModel>;

export const VerifyLevel = z.enum(["none", "counts", "content"]);
export type VerifyLevel = z.infer<typeof VerifyLevel>;

export const Evidence = z.strictObject({
  /** Was the wanted state there before anything was done? */
  alreadyDone: z.boolean(),
  /** Lines for people: what was seen when it was read back. */
  lines: z.array(z.string()),
  /** As this command's own edits alone make them. */
  files: z.array(ChangedFile),
});
export type Evidence = z.infer<typeof Evidence>;

/** What a client felt: `longestGapMs` is the longest time from an answer to the next, or to the end. */
const Felt = z.strictObject({
  answered: z.int(),
  failed: z.int(),
  longestGapMs: z.number().nonnegative(),
});

export const commands = {
  /** On the new host, before anything is touched: directories, ports, programs, libraries, limits. */
  "probe-target": {
    effect: "read",
    args: z.strictObject({
      dataDirectory: AbsolutePath,
      stagingDirectory: AbsolutePath,
      port: Port,
      address: Address,
      directories: z.array(AbsolutePath),
      sharedPreloadLibraries: z.array(z.string()),
      extensions: z.array(z.string()),
      nic: z.string().nullable(),
      trustAddresses: z.array(Address),
    }),
    result: z.strictObject({
      dataDirectory: z.strictObject({
        state: z.enum(["absent", "empty", "not-empty", "not-a-directory", "unreadable"]),
        mode: z.int().nullable(),
        owner: z.string().nullable(),
        isMountPoint: z.boolean(),
        entries: z.array(z.string()),
        parentWritable: z.boolean(),
      }),
      stagingState: z.enum(["absent", "ours", "foreign"]),
      portInUse: z.boolean(),
      addressIsLocal: z.boolean(),
      nicPrefix: z.int().nullable(),
      directories: z.array(
        z.strictObject({
          path: z.string(),
          exists: z.boolean(),
          writable: z.boolean(),
          freeBytes: z.number(),
          freeInodes: z.number(),
          type: z.string(),
        }),
      ),
      missingLibraries: z.array(z.string()),
      missingExtensions: z.array(z.string()),
      missingPrograms: z.array(z.string()),
      locales: z.array(z.string()),
      licenceFile: z.enum(["present", "missing", "not-needed"]),
      trustReachable: z.array(z.strictObject({ address: z.string(), reachable: z.boolean() })),
      kernel: z.record(z.string(), z.string()),
      clockMs: z.number(),
    }),
  },
  /** Real logins from this host; each answers with the server's own SQLSTATE when it fails. */
  "probe-logins": {
    effect: "read",
    args: z.strictObject({ logins: z.array(Login).max(32) }),
    result: z.strictObject({
      results: z.array(
        z.strictObject({
          login: Login,
          ok: z.boolean(),
          sqlState: z.string().nullable(),
          message: z.string().nullable(),
          serverVersion: z.string().nullable(),
          latencyMs: z.number(),
        }),
      ),
    }),
  },
  /** TCP, ssh (BatchMode, as vendor scripts need it) and VIP reachability from this host. */
  "probe-reach": {
    effect: "read",
    args: z.strictObject({
      tcp: z.array(z.strictObject({ host: Address, port: Port })).max(64),
      ssh: z.array(z.strictObject({ host: Address, user: Identifier })).max(16),
    }),
    result: z.strictObject({
      tcp: z.array(
        z.strictObject({
          host: z.string(),
          port: z.int(),
          answer: z.enum(["open", "refused", "silent", "unresolved"]),
        }),
      ),
      ssh: z.array(
        z.strictObject({
          host: z.string(),
          user: z.string(),
          ok: z.boolean(),
          message: z.string(),
        }),
      ),
    }),
  },
  /** Bytes per second of one TCP session to a database (a large SELECT, nothing is written). */
  "measure-throughput": {
    effect: "read",
    args: z.strictObject({ upstream: Upstream, bytes: z.int().positive().max(268_435_456) }),
    result: z.strictObject({ bytesPerSecond: z.number() }),
  },
  /** WAL bytes per second over a short window on this node's own database. */
  "measure-wal-rate": {
    effect: "read",
    args: z.strictObject({ windowMs: z.int().positive().max(10_000) }),
    result: z.strictObject({ bytesPerSecond: z.number() }),
  },
  "open-hba": {
    effect: "change",
    args: z.strictObject({
      file: AbsolutePath,
      rules: z.array(HbaRule).min(1),
      planned: PlannedFiles,
    }),
    result: Evidence,
  },
  /** The logins must all succeed; used after open-hba as the proof from the new host. */
  "prove-login": {
    effect: "read",
    args: z.strictObject({ logins: z.array(Login).min(1) }),
    result: Evidence,
  },
  "create-slot": {
    effect: "change",
    args: z.strictObject({
      slot: SlotName,
      forNode: Name,
      /** Reserve WAL at once: only on the node that will be streamed from. */
      reserve: z.boolean(),
      /** Most WAL that this slot may hold back, for ever; null: as the host's own settings say. */
      walBudgetBytes: z.number().positive().nullable(),
    }),
    result: Evidence,
  },
  /** A detached job that outlives the agent; copies into the staging directory. */
  "base-backup": {
    effect: "change",
    args: z.strictObject({
      source: Upstream,
      /** null: a slot that is none of the copy's holds what it needs. */
      slot: SlotName.nullable(),
      /** Where the reserved slot is, when `source` is a standby: wait until its replay ≥ restart_lsn. */
      slotHolder: Upstream,
      stagingDirectory: AbsolutePath,
      dataDirectory: AbsolutePath,
      tablespaces: z.array(TablespaceMapping),
      maxRateBytesPerSecond: z.number().positive().nullable(),
      expectedBytes: z.number().nonnegative(),
      stallMs: z.int().positive(),
      systemIdentifier: z.string(),
      /** The data directory holds what is kept until the copy takes its place. */
      besideOld: z.boolean().optional(),
    }),
    result: Evidence.extend({ copiedBytes: z.number(), elapsedMs: z.number() }),
  },
  "write-node-files": {
    effect: "change",
    args: z.strictObject({
      cluster: ClusterDeclaration,
      node: NodeDeclaration,
      upstream: Upstream,
      stagingDirectory: AbsolutePath,
      /** Server settings to be in force on this node; null comments the setting out. */
      settings: z.array(z.strictObject({ name: z.string(), value: z.string().nullable() })),
      hbaRules: z.array(HbaRule),
      /** Where config is outside the data directory: the like-node's masked text to start from. */
      outsideFiles: z.array(
        z.strictObject({
          path: AbsolutePath,
          text: z.string(),
          mode: z.int().min(0).max(0o777),
        }),
      ),
      haModule: HaModuleModel.nullable(),
      directories: z.array(AbsolutePath),
      /** Files outside the data directory that are replaced whole: another one there by now is not ours to replace. */
      planned: PlannedFiles,
    }),
    result: Evidence,
  },
  "place-data-directory": {
    effect: "change",
    args: z.strictObject({ stagingDirectory: AbsolutePath, dataDirectory: AbsolutePath }),
    result: Evidence,
  },
  "start-database": {
    effect: "change",
    args: z.strictObject({ dataDirectory: AbsolutePath, stallMs: z.int().positive() }),
    result: Evidence,
  },
  /** On the new node: right upstream, right name, slot active there, lag under the limit. */
  "prove-streaming": {
    effect: "read",
    args: z.strictObject({
      upstream: Upstream,
      applicationName: Name,
      slot: SlotName,
      lagLimitBytes: z.number().nonnegative(),
      stallMs: z.int().positive(),
    }),
    result: Evidence.extend({ lagBytes: z.number(), upstreamLsn: Lsn }),
  },
  "verify-data": {
    effect: "read",
    args: z.strictObject({
      upstream: Upstream,
      level: VerifyLevel,
      /** Compared are the largest tables first, up to this many. */
      maxTables: z.int().positive(),
      stallMs: z.int().positive(),
    }),
    result: Evidence.extend({
      tables: z.array(
        z.strictObject({
          database: z.string(),
          table: z.string(),
          outcome: z.enum(["equal", "different", "changed-meanwhile"]),
          rows: z.number().nullable(),
        }),
      ),
    }),
  },
  /** KB_ALL_IP and ALL_NODE_NAME in every copy of HAmodule.conf on this node. */
  "register-ha-lists": {
    effect: "change",
    args: z.strictObject({
      files: z.array(AbsolutePath).min(1),
      node: Name,
      address: Address,
      planned: PlannedFiles,
    }),
    result: Evidence,
  },
  /** Append the row, reload, read back as loaded (down). */
  "append-backend": {
    effect: "change",
    args: z.strictObject({ file: AbsolutePath, row: BackendRow, planned: PlannedFiles }),
    result: Evidence,
  },
  /** Drop client data segments to the pool's port; ends by itself in the kernel after `forMs`. */
  "hold-door": {
    effect: "change",
    args: z.strictObject({ ports: z.array(Port).min(1), forMs: z.int().positive().max(1_000) }),
    result: Evidence.extend({
      held: z.boolean(),
      reason: z.string().nullable(),
      /** From the command's arrival until the door was told to shut. */
      preparedMs: z.number().nonnegative().optional(),
    }),
  },
  "release-door": {
    effect: "change",
    args: z.strictObject({ ports: z.array(Port).min(1) }),
    result: Evidence,
  },
  /** Attach on the watchdog's leader; the row must be identical to what was declared. */
  "attach-backend": {
    effect: "change",
    args: z.strictObject({ row: BackendRow }),
    result: Evidence,
  },
  /** This pool shows the row up, with the right role. */
  "prove-backend": {
    effect: "read",
    args: z.strictObject({ row: BackendRow, stallMs: z.int().positive() }),
    result: Evidence,
  },
  "set-synchronous-list": {
    effect: "change",
    args: z.strictObject({
      /** The whole new value, e.g. `1 (srv127, srv129, srv159)`. */
      value: z.string().regex(/^[^\0\n']*$/),
      /** Value that it replaces; anything else found is a conflict. */
      expected: z.string(),
    }),
    result: Evidence,
  },
  /** The new node joins its cluster's regime: cron line, run flag, incomplete marker removed. */
  "join-regime": {
    effect: "change",
    args: z.strictObject({
      dataDirectory: AbsolutePath,
      /** Is the vendor's cron check still in charge in this cluster? */
      vendorInCharge: z.boolean(),
    }),
    result: Evidence,
  },
  /** Reads through this host's pool until one was answered by the new node. */
  "prove-reads": {
    effect: "read",
    args: z.strictObject({
      pool: Upstream.omit({ node: true }),
      nodeAddress: Address,
      nodePort: Port,
      stallMs: z.int().positive(),
    }),
    result: Evidence.extend({ readsAsked: z.int(), readsAnsweredByNode: z.int() }),
  },
  /** A watched file back to a version that this host has kept, then the reload that it needs. */
  "restore-file": {
    effect: "change",
    args: z.strictObject({
      path: AbsolutePath,
      format: FileFormat,
      /** What stands there (null: nothing): anything else is left alone. */
      from: Sha256.nullable(),
      /** A hash of null removes the file; a mode or owner of null is whatever it had then. */
      to: z.strictObject({
        hash: Sha256.nullable(),
        mode: z.int().min(0).max(0o7777).nullable(),
        owner: z
          .string()
          .regex(/^\d{1,10}:\d{1,10}$/)
          .nullable(),
      }),
    }),
    result: Evidence,
  },
  /** The guard only watches and tells for a while; null ends that. Asked outside of any operation. */
  "set-maintenance": {
    effect: "set",
    args: z.strictObject({
      forMs: z.int().positive().max(mostMaintenanceMs).nullable(),
      by: z.string().min(1).max(200),
      note: z.string().max(1_000).nullable(),
    }),
    result: Evidence.extend({ guard: GuardMode }),
  },
  /** How far the guard goes; during maintenance: from its end on. */
  "set-guard-mode": {
    effect: "change",
    args: z.strictObject({
      mode: z.enum(["observe", "enforce"]),
      by: z.string().min(1).max(200),
    }),
    result: Evidence.extend({ guard: GuardMode }),
  },
  /** A person's word that a fenced node still is the primary. Asked outside of any operation. */
  "confirm-primary": {
    effect: "set",
    args: z.strictObject({ by: z.string().min(1).max(200) }),
    result: Evidence,
  },
  /**
   * Of a former primary that is stopped: a standby marker, so that it can't come up as a second primary. Asked outside of any
   * operation: nobody is promoted before it is answered.
   */
  fence: {
    effect: "set",
    args: z.strictObject({}),
    result: Evidence.extend({
      /** What its own files say that its commits waited for. */
      synchronousStandbyNames: z.string(),
      /** Its own: who is on a later one follows somebody who led after it. */
      timeline: z.int(),
    }),
  },
  /**
   * The primary gives its role up: standby marker, virtual address off, checkpoint, fast stop. Its undo opens it again as the primary,
   * if nobody else can be one by then.
   */
  demote: {
    effect: "change",
    args: z.strictObject({
      stallMs: z.int().positive(),
      /** Of an undo: the operation knows that it promoted nobody, so nodes that are away don't count against it. */
      isSole: z.boolean().optional(),
    }),
    result: Evidence.extend({
      /** Its control file after the stop: the last WAL record is the checkpoint there. */
      shutdown: z.strictObject({ checkpoint: Lsn, timeline: z.int().positive() }),
    }),
  },
  /** This standby becomes the primary. Nobody takes that back: its undo only proves that it is none. */
  promote: {
    effect: "change",
    args: z.strictObject({
      /** Of the primary that it takes the place of. */
      timeline: z.int().positive(),
      /** It waits until it has replayed the record there; null where the primary's end is not known. */
      replayed: Lsn.nullable(),
      stallMs: z.int().positive(),
    }),
    result: Evidence.extend({ timeline: z.int().positive() }),
  },
  /** This node becomes, or goes on as, a standby of that primary; by a rewind where it went another way. */
  follow: {
    effect: "change",
    args: z.strictObject({ node: Name, host: Address, port: Port }),
    result: Evidence,
  },
  /** The slot of a node that is copied anew: one that holds no WAL (any more), or is missing, is made anew and reserved. */
  "renew-slot": {
    effect: "change",
    args: z.strictObject({
      slot: SlotName,
      forNode: Name,
      walBudgetBytes: z.number().positive().nullable(),
    }),
    result: Evidence,
  },
  /** Its undo starts it again where it ran. A primary is refused. */
  "stop-standby": {
    effect: "change",
    args: z.strictObject({ stallMs: z.int().positive() }),
    result: Evidence,
  },
  /** As stop-standby, by SIGKILL of the postmaster: for a drill. */
  "kill-standby": {
    effect: "change",
    args: z.strictObject({ stallMs: z.int().positive() }),
    result: Evidence,
  },
  /** For a drill: a fast stop that nobody is told of. Its undo opens it as the primary again. A standby is refused. */
  "stop-primary": {
    effect: "change",
    args: z.strictObject({ stallMs: z.int().positive() }),
    result: Evidence,
  },
  /** As stop-primary, by SIGKILL of the postmaster. */
  "kill-primary": {
    effect: "change",
    args: z.strictObject({ stallMs: z.int().positive() }),
    result: Evidence,
  },
  /** Numbered rows into a table of the drill's own, and reads, through a pool; its undo drops the table. */
  "run-load": {
    effect: "change",
    args: z.strictObject({ pool: Upstream.omit({ node: true }), forMs: z.int().positive() }),
    result: Evidence.extend({
      writes: Felt,
      reads: Felt,
      /** Rows that were acknowledged, and are not there at the end. */
      lost: z.int().nonnegative(),
      /** Who has the rows at the end, as it names itself: `address:port`. */
      primary: z.string(),
      /** From the first acknowledged row until this was told. */
      sinceFirstRowMs: z.number().nonnegative(),
    }),
  },
  /** The finished copy beside this node's data directory gets this node's own files, and is made a standby. */
  "keep-own-files": {
    effect: "change",
    args: z.strictObject({
      upstream: z.strictObject({ node: Name, host: Address, port: Port }),
      /** Of files below the data directory that are missing there: what was accepted, if this host has kept it. */
      accepted: z.array(z.strictObject({ path: AbsolutePath, hash: Sha256 })),
      /** For configuration and hba that are nowhere: what to change in the copied ones. */
      settings: z.array(z.strictObject({ name: z.string(), value: z.string().nullable() })),
      hbaRules: z.array(HbaRule),
    }),
    result: Evidence,
  },
  /** The data directory is set aside, and the copy beside it takes its place. */
  "swap-data-directory": { effect: "change", args: z.strictObject({}), result: Evidence },
  /** On a node that was copied anew: a slot for each other node, and those that the old data directory had; all unreserved. */
  "remake-slots": { effect: "change", args: z.strictObject({}), result: Evidence },
  /** The copy is a full member, and the directory that was set aside goes. Nobody takes that back. */
  "drop-old-directory": { effect: "change", args: z.strictObject({}), result: Evidence },
  /** As follow, also for a server that has WAL of its own: that is set aside, and the rest rewound. */
  rejoin: {
    effect: "change",
    args: z.strictObject({ node: Name, host: Address, port: Port }),
    result: Evidence,
  },
  /** What names another node in shared files of this one; what reads a file is told to. Undo brings the bytes back. */
  "remove-entries": {
    effect: "change",
    args: z.strictObject({ entries: z.array(NodeEntry).min(1), planned: PlannedFiles }),
    result: Evidence,
  },
  /** Slots that nobody is to stream through any more; whoever does is cut off. */
  "drop-slots": {
    effect: "change",
    args: z.strictObject({ slots: z.array(SlotName).min(1), stallMs: z.int().positive() }),
    result: Evidence,
  },
  /** The data directory of a stopped standby that is no node any more. Nobody takes that back. */
  "delete-data": {
    effect: "change",
    args: z.strictObject({ dataDirectory: AbsolutePath }),
    result: Evidence,
  },
  /** This host's pool takes another backend for the primary. */
  "lead-pool": {
    effect: "change",
    args: z.strictObject({ from: BackendRow, to: BackendRow, stallMs: z.int().positive() }),
    result: Evidence,
  },
  /** The cluster's virtual address to this primary, after an unanswered probe. */
  "take-address": { effect: "change", args: z.strictObject({}), result: Evidence },
  /** What the control file of a stopped server says. */
  "read-control": {
    effect: "read",
    args: z.strictObject({}),
    result: z.strictObject({
      systemIdentifier: z.string(),
      /** `shut down`, `shut down in recovery`, `in production` … */
      state: z.string(),
      timeline: z.int().positive(),
      checkpoint: Lsn,
      /** As far as its WAL is known to go. */
      end: Lsn,
    }),
  },
  /** This host's pool, fast; its undo starts it again. */
  "stop-pool": { effect: "change", args: z.strictObject({}), result: Evidence },
  "start-pool": { effect: "change", args: z.strictObject({}), result: Evidence },
  /** On purpose: it stays stopped until it is started by a person or an operation. Its undo starts it again, in its role. */
  "stop-database": {
    effect: "change",
    args: z.strictObject({
      /** A standby waits until it has replayed the record there; null where there is none to wait for. */
      replayed: Lsn.nullable(),
      stallMs: z.int().positive(),
    }),
    result: Evidence.extend({
      shutdown: z.strictObject({ checkpoint: Lsn, timeline: z.int().positive() }),
    }),
  },
  /** The primary that it was when it was stopped: its data directory still is on that timeline. */
  "start-primary": {
    effect: "change",
    args: z.strictObject({ timeline: z.int().positive(), stallMs: z.int().positive() }),
    result: Evidence,
  },
  /** At the watchdog's leader, where the row is up; every pool has then closed what it holds open to that server. */
  "detach-backend": {
    effect: "change",
    args: z.strictObject({ row: BackendRow, stallMs: z.int().positive() }),
    result: Evidence,
  },
  /** Stopped fast and started in the same role, once in an operation. */
  "restart-database": {
    effect: "change",
    args: z.strictObject({ role: z.enum(["primary", "standby"]), stallMs: z.int().positive() }),
    result: Evidence,
  },
  /** The vendor's cron lines get their `#`, and whatever of its scripts still runs is waited for; the file's bytes are remembered. */
  "take-over-cron": { effect: "change", args: z.strictObject({}), result: Evidence },
  /** The lines as they were before that; a file that was edited since keeps its edits. */
  "hand-back-cron": { effect: "change", args: z.strictObject({}), result: Evidence },
} as const satisfies Record<
  string,
  { effect: "read" | "change" | "set" | "destroy"; args: z.ZodType; result: z.ZodType }
>;

export type CommandKind = keyof typeof commands;
export const commandKinds = Object.keys(commands) as readonly CommandKind[]; // the keys of the map above
export type CommandArgs<K extends CommandKind> = z.infer<(typeof commands)[K]["args"]>;
export type CommandResult<K extends CommandKind> = z.infer<(typeof commands)[K]["result"]>;
/** Kinds whose effect can be taken back: each has an undo on the agent. */
export type UndoableKind = {
  [K in CommandKind]: (typeof commands)[K]["effect"] extends "change" ? K : never;
}[CommandKind];

export function isUndoable(kind: CommandKind): kind is UndoableKind {
  return commands[kind].effect === "change";
}

/** Checked by the agent right before the effect; what is null is not checked. */
export const Preconditions = z.strictObject({
  systemIdentifier: z.string().nullable(),
  role: z.enum(["primary", "standby"]).nullable(),
  timeline: z.int().nullable(),
});
export type Preconditions = z.infer<typeof Preconditions>;

/** run: check, apply, verify. undo: take back what was ours, if anything. */
export const CommandPhase = z.enum(["run", "undo"]);
export type CommandPhase = z.infer<typeof CommandPhase>;

/** A command on the wire. `args` is validated against the kind's own schema by the receiver. */
export const CommandEnvelope = z.strictObject({
  /** At most once in effect however often it is sent: the same id answers with the stored result. */
  id: z.string().regex(/^[a-z0-9:/._-]{1,128}$/i),
  epoch: z.int().positive(),
  /** null for probes outside an operation. */
  operationId: OperationId.nullable(),
  stepId: z.string().max(96),
  kind: z.enum(commandKinds as readonly [CommandKind, ...CommandKind[]]), // non-empty by the map above
  phase: CommandPhase,
  args: z.unknown(),
  /** Not begun after this moment (the agent's clock, corrected by the measured offset). */
  expiresAt: z.number(),
  preconditions: Preconditions,
});
export type CommandEnvelope = z.infer<typeof CommandEnvelope>;

/** Numbers of a long step, for the live tree. */
export const Progress = z.strictObject({
  doneBytes: z.number().nullable(),
  totalBytes: z.number().nullable(),
  bytesPerSecond: z.number().nullable(),
  /** One line for people: what it is at. */
  note: z.string().max(400),
});
export type Progress = z.infer<typeof Progress>;
