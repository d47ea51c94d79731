import * as z from "zod";
import { VerifyLevel } from "#shared/domain/commands.ts";
import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import type {
  ArchiverFacts,
  CheckFacts,
  GuardFacts,
  NodeFacts,
  WalDisk,
} from "#shared/domain/facts.ts";
import { AbsolutePath, Address, Name, Port } from "#shared/domain/names.ts";
import type { FailureRecord } from "#shared/domain/operation.ts";
import type { Progress } from "#shared/domain/commands.ts";
import { PlanDigest } from "../operations/plan-digest.ts";
import type { GuardMoment } from "./guard-contract.ts";
import type { AlertCounts } from "../fleet/severity.ts";
import type { Verdict } from "../fleet/finding.ts";
import type { OperationEnd } from "../operations/operation-end.ts";
import type { CheckResult, Forecast, Plan } from "../operations/plan.ts";
import type { Rule } from "../rules/rule.ts";
import type { AlertRecord, EventRecord, OperationRecord } from "../store/store.ts";

/**
 * HTTP+JSON below /api, on the unix socket in the coordinator's state directory. An error answers
 * `{ "error": FailureRecord }` with status 4xx/5xx. `GET …/watch` streams one JSON object a line.
 *
 *  GET  /api/status?cluster=NAME             StatusAnswer, of all clusters where none is named
 *  GET  /api/status/watch?cluster=NAME       stream of StatusAnswer, whenever it is another
 *  POST /api/tokens                          TokenRequest → TokenAnswer
 *  POST /api/clusters/import                 ImportRequest → ImportAnswer
 *  GET  /api/clusters                        ClusterAnswer[]
 *  GET  /api/clusters/:name                  ClusterAnswer (CONFIG_INVALID with file:line:column if malformed)
 *  POST /api/clusters/:name/preflight        AddNodeRequest → PreflightAnswer
 *  POST /api/clusters/:name/nodes            AddNodeRequest → AddNodeAnswer
 *  POST /api/clusters/:name/pool-prepare     PoolPrepareRequest → AddNodeAnswer
 *  GET  /api/operations                      OperationSummary[], newest first
 *  GET  /api/operations/:id                  ShownOperation
 *  GET  /api/operations/:id/watch            stream of OperationUpdate until a state that does not go on by itself
 *  POST /api/operations/:id/resume           OperationRecord
 *  POST /api/operations/:id/abort            OperationRecord (?after-restore=1 for one that a restore holds)
 *  POST /api/operations/:id/leave            OperationRecord
 *  POST /api/store/check                     JournalReport
 *  GET  /api/store/backup                    the backup's bytes
 *  GET  /api/why/:subject                    WhyAnswer (operation id or node; of a node ?at=MS: how it was then)
 *  GET  /api/guard, POST /api/guard/…        the guards of the nodes: guard-contract.ts
 *  GET  /api/drift…, /api/files…             watched files: drift-contract.ts
 *  GET  /api/slots                           SlotsAnswer
 *  GET  /api/clusters/:name/slots            SlotsAnswer
 *  GET  /api/checks                          ChecksAnswer
 *  GET  /api/checks/:name                    ChecksAnswer, of that cluster or node
 *  GET  /api/rules                           RuleAnswer[]
 *  GET  /api/rules/:id                       RuleAnswer
 *  GET  /api/alerts?all=1                    AlertRecord[], newest first: those that stand, or all
 *  GET  /api/alerts/:id                      AlertRecord
 *  POST /api/alerts/:id/close                CloseAlertRequest → AlertRecord (REFUSED for one that agents end)
 *  POST /api/alerts/:id/acknowledge          AcknowledgeRequest → AlertRecord (OPERATION_CONFLICT names who was first)
 *  GET  /api/mutes                           MuteRecord[] in force
 *  POST /api/mutes                           MuteRequest → MuteRecord
 *  POST /api/mutes/:what/remove              RequestedBy → MuteRecord (by its number or pattern)
 *  POST /api/sinks/:name/test                RequestedBy → SinkTest (SINK_UNREACHABLE, SINK_REFUSED)
 *  GET  /api/events?after=N                  EventRecord[], at most 500 (?newest=N: the last N)
 *  GET  /api/events/watch?after=N            stream of EventRecord, those that are there and those that come
 */

export const TokenRequest = z.strictObject({
  node: Name,
  validMinutes: z.int().positive().max(10_080),
});
export type TokenAnswer = {
  readonly node: string;
  readonly joinLine: string;
  readonly expiresAt: number;
};

export const ImportRequest = z.strictObject({
  name: Name,
  /** Joined agents that make up the cluster; all joined ones of one system identifier when empty. */
  nodes: z.array(Name),
  dryRun: z.boolean(),
});
export type ImportAnswer = {
  readonly yaml: string;
  readonly file: string;
  readonly written: boolean;
  readonly declaration: ClusterDeclaration;
  readonly warnings: readonly string[];
};

export type ClusterAnswer = {
  readonly file: string;
  readonly yaml: string;
  readonly hash: string;
  readonly declaration: ClusterDeclaration;
};

export const AddNodeRequest = z.strictObject({
  node: Name,
  address: Address,
  port: Port.nullable(),
  dataDirectory: AbsolutePath.nullable(),
  nic: z.string().nullable(),
  /** What is not given follows this node; the newest standby when null. */
  like: Name.nullable(),
  /** Node to copy from; the primary when null. */
  source: Name.nullable(),
  maxRateBytesPerSecond: z.number().positive().nullable(),
  /** The most WAL that its slot may hold back; the coordinator's setting when left out. */
  walBudgetBytes: z.int().positive().nullable().optional(),
  verify: VerifyLevel,
  onFailure: z.enum(["pause", "rollback"]),
  dryRun: z.boolean(),
  /** Only if the plan is this one; null for whatever it is. */
  plan: PlanDigest.nullable().default(null),
  acceptNotPromotable: z.boolean(),
  requestedBy: z.string().max(200),
});
export type AddNodeRequest = z.infer<typeof AddNodeRequest>;

export type PreflightAnswer = {
  readonly checks: readonly CheckResult[];
  readonly forecast: Forecast | null;
};
export type AddNodeAnswer = {
  readonly plan: Plan;
  /** null for a dry run. */ readonly operation: OperationRecord | null;
};

export const PoolPrepareRequest = z.strictObject({
  node: Name,
  address: Address,
  port: Port.nullable(),
  dataDirectory: AbsolutePath.nullable(),
  dryRun: z.boolean(),
  plan: PlanDigest.nullable().default(null),
  requestedBy: z.string().max(200),
});

export type NodeStatus = {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly agent: "connected" | "away" | "not-joined";
  readonly agentVersion: string | null;
  readonly lastSeenAt: number | null;
  /** When it told of a change last: what has not changed is not told again. */
  readonly factsAt: number | null;
  readonly database: NodeFacts["database"]["status"] | "unknown";
  readonly role: "primary" | "standby" | null;
  /** As what a start would open it: with a standby marker or without; null where there is no data directory. */
  readonly roleByFiles: "primary" | "standby" | null;
  readonly timeline: number | null;
  readonly upstream: string | null;
  readonly replicationState: string | null;
  readonly syncState: string | null;
  /** WAL comes to it, from wherever. */
  readonly isReceiving: boolean | null;
  readonly lagBytes: number | null;
  /** At most: since the last commit that it has replayed; 0 where nothing is left to replay. */
  readonly lagMs: number | null;
  /** synchronous_standby_names in force here, and how many standbys it counts as synchronous. */
  readonly synchronous: { readonly names: string; readonly standbys: number } | null;
  readonly slotActive: boolean | null;
  /** By management node: what that pool says of this node. */
  readonly pools: readonly {
    readonly on: string;
    readonly status: string;
    readonly role: string;
  }[];
  /** Those on this node. */
  readonly slots: readonly {
    readonly name: string;
    readonly active: boolean;
    /** null where it reserves no WAL. */
    readonly retainedBytes: number | null;
    readonly budgetBytes: number | null;
  }[];
  readonly walDisk: WalDisk | null;
  /** The pool that runs on this node; null where none is to. */
  readonly ownPool: "running" | "stopped" | "unreachable" | null;
  readonly guard: Pick<GuardFacts, "mode" | "maintenance" | "findings"> | null;
  /** In the words of the server, of the pool, and of the node that dropped its slot. */
  readonly problems: Readonly<Record<"database" | "upstream" | "pool" | "rebuild", string | null>>;
};
export type ClusterStatus = {
  readonly name: string;
  readonly product: string;
  readonly pool: string;
  readonly nodes: readonly NodeStatus[];
  /** Why the declaration can't be read, if it can't. */
  readonly problem: string | null;
  readonly operation: {
    readonly id: string;
    readonly state: string;
    readonly subject: string;
  } | null;
  readonly virtualAddresses: readonly {
    readonly of: "database" | "pool";
    readonly address: string;
    /** Nodes that are seen to have it. */
    readonly on: readonly string[];
  }[];
  /** Those that stand, acknowledged ones too. */
  readonly alerts: AlertCounts;
  readonly verdict: Verdict;
};
export type StatusAnswer = {
  /** The worst of its clusters'. */
  readonly state: Verdict["state"];
  readonly version: string;
  readonly epoch: number;
  readonly at: number;
  readonly clusters: readonly ClusterStatus[];
  /** Joined agents that no declaration names yet. */
  readonly unassigned: readonly NodeStatus[];
};

/** A row of the table of rules, with the alerts that stand because it is broken. */
export type RuleAnswer = Omit<Rule, "check"> & { readonly alerts: readonly AlertRecord[] };

export type SlotLine = {
  readonly slot: string;
  /** Made by an operation of ours, and still the one that it made. */
  readonly isOurs: boolean;
  /** The node that it is for; null where nobody knows. */
  readonly owner: string | null;
  readonly operationId: string | null;
  readonly purpose: string;
  /** When it was made (dropped, where it was); where only our first look is known, that. */
  readonly since: number;
  readonly isSinceSeen: boolean;
  /** missing: someone dropped ours. dropped: the WAL budget did. lost: the server invalidated it. */
  readonly state: "active" | "inactive" | "missing" | "dropped" | "lost";
  readonly client: string | null;
  readonly pid: number | null;
  readonly retainedBytes: number | null;
  readonly budgetBytes: number | null;
  /** Transactions since the oldest that it keeps from vacuum. */
  readonly xminAge: number | null;
  /** What is wrong, and what to type next. */
  readonly note: string | null;
};
export type NodeSlots = {
  readonly node: string;
  readonly agent: NodeStatus["agent"];
  readonly role: "primary" | "standby" | null;
  readonly slots: readonly SlotLine[];
  readonly walDisk: WalDisk | null;
  readonly archiver: ArchiverFacts | null;
};
export type SlotsAnswer = {
  readonly at: number;
  readonly clusters: readonly {
    readonly name: string;
    readonly problem: string | null;
    readonly nodes: readonly NodeSlots[];
  }[];
};

export type ChecksAnswer = {
  readonly nodes: readonly {
    readonly node: string;
    readonly agent: NodeStatus["agent"];
    /** As it told them last. */
    readonly checks: readonly CheckFacts[];
  }[];
};

export const RequestedBy = z.strictObject({ requestedBy: z.string().min(1).max(200) });
export const CloseAlertRequest = z.strictObject({ requestedBy: z.string().max(200) });
const Note = z.string().max(1_000).nullable();
export const AcknowledgeRequest = RequestedBy.extend({ note: Note });

const mostMuteMs = 30 * 86_400_000;
export const MuteRequest = RequestedBy.extend({
  /** A pattern of causes, `*` for anything; or the number of an alert. */
  what: z.string().trim().min(1).max(600),
  forMs: z.int().min(1_000).max(mostMuteMs, { error: "a mute ends after 30 days at the latest" }),
  note: Note,
});

/** A list of whole plans would be megabytes. */
export type OperationSummary = Omit<OperationRecord, "plan" | "steps"> & {
  readonly stepsDone: number;
  readonly stepsPlanned: number;
};

/** The record, and how it stands: cause, evidence, what was undone, what needs a hand, what can be typed. */
export type ShownOperation = OperationRecord & { readonly end: OperationEnd };

/** One line of a watch stream: the record whenever it changed, progress in between. */
export type OperationUpdate =
  | { readonly type: "operation"; readonly operation: OperationRecord }
  | { readonly type: "progress"; readonly stepId: string; readonly progress: Progress };

export type WhyAnswer = {
  readonly subject: string;
  readonly lines: readonly string[];
  readonly events: readonly EventRecord[];
  readonly alerts: readonly AlertRecord[];
  /** Of a node: what its guard decided last, if anything is kept. */
  readonly moment: GuardMoment | null;
};

export type ErrorAnswer = { readonly error: FailureRecord };
