import type {
  OperationHeader,
  OperationState,
  StepState,
  FailureRecord,
} from "#shared/domain/operation.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import type { Decision } from "#shared/domain/guard.ts";
import type { OperationSummary } from "../api/contract.ts";
import type { Plan } from "../operations/plan.ts";
import type { JournalReport } from "./check-journal.ts";
import type { HoldCause } from "./hold-operations.ts";

/** The journal: everything the coordinator must still know after kill -9. Every write is on disk when it returns. */
export type Store = Disposable & {
  /** Higher at every start of a coordinator: fences older ones. */
  readonly epoch: number;
  /** Of the last start on this journal. An agent that has obeyed one in between knows what this journal does not. */
  readonly epochBefore: number;

  // agents
  createToken(record: TokenRecord): void;
  /** The token's node if it is valid and unused; marks it used in the same transaction. */
  redeemToken(
    tokenHash: string,
    node: string,
    now: number,
  ): "ok" | "unknown" | "expired" | "used" | "other-node";
  putAgent(record: AgentRecord): void;
  agent(node: string): AgentRecord | null;
  agents(): readonly AgentRecord[];

  // operations
  /**
   * Takes the cluster's lease in the same transaction; the holder if someone else has it. A failover goes on without it,
   * and so does what the holder itself (`under`) asks for.
   */
  createOperation(
    header: OperationHeader,
    plan: Plan,
    options: OperationOptions & { readonly under?: string },
  ): OperationRecord | { readonly heldBy: OperationRecord };
  operation(id: string): OperationRecord | null;
  operations(filter?: {
    readonly cluster?: string;
    readonly unfinished?: boolean;
  }): readonly OperationRecord[];
  /** Without plans and steps, newest first. */
  newestOperations(limit: number): readonly OperationSummary[];
  /** Also releases the lease when the state is terminal. */
  setOperationState(
    id: string,
    state: OperationState,
    now: number,
    failure?: FailureRecord | null,
  ): void;
  setStep(id: string, index: number, step: Partial<StepRecord>): void;
  leaseHolder(cluster: string): OperationRecord | null;
  /** Every unfinished operation waits for a person: this journal is older than the world. Answers their ids. */
  holdOperations(cause: HoldCause): readonly string[];

  // the journal itself
  /** Looks at every page and record. */
  check(): JournalReport;
  /** Writes a consistent copy into a new file. */
  snapshot(file: string): void;

  // the guards' decisions
  /** Once, however often it is told; `at` by our clock. The newest of each node are kept. */
  addDecision(node: string, decision: Decision, at: number): boolean;
  /** Newest first. */
  decisions(node: string, most?: number): readonly DecisionRecord[];

  // drift, alerts, events
  /** The newest version of these bytes counts as accepted, too. */
  setBaseline(baseline: Omit<BaselineRecord, "acceptedAt">, now: number): void;
  baselines(node: string): readonly BaselineRecord[];
  /** It is no node any more: its baselines and the versions of its files are dropped. */
  forgetFiles(node: string): void;
  /** A new version, where it differs from the newest one. */
  noteFile(node: string, file: FileFacts, now: number): boolean;
  /** Of each file of the node. */
  newestFiles(node: string): readonly FileVersionRecord[];
  /** Newest first. */
  fileVersions(node: string, path: string): readonly FileVersionRecord[];
  /**
   * Opens the alert of this cause or refreshes the standing one. An acknowledged one opens again when its detail is
   * another or it is worse.
   */
  raiseAlert(alert: AlertInput, now: number): AlertRecord;
  /** Open or acknowledged, it is over. */
  resolveAlert(cause: string, now: number): void;
  /** An open one, or with another note one's own; answers the alert as it stands then, null for none of this id. */
  acknowledgeAlert(
    id: number,
    acknowledgement: { readonly by: string; readonly note: string | null },
    now: number,
  ): AlertRecord | null;
  alert(id: number): AlertRecord | null;
  /** Newest first. `open`: those that are not resolved. */
  alerts(filter?: { readonly open?: boolean }): readonly AlertRecord[];
  /** Each alert with its last change after this revision, in the order of the changes. */
  alertChanges(after: number, limit: number): readonly AlertChange[];
  /** The last changes of all that stands. */
  standingChanges(): readonly AlertChange[];
  /** Without their texts, all that have changed after this revision, in order. */
  changedAlerts(after: number): readonly ChangedAlert[];
  /** Called after each change, once it is on disk. */
  watchAlerts(listener: (change: AlertChange) => void): Disposable;
  /** Those in force. */
  mutes(): readonly MuteRecord[];
  addMute(mute: Omit<MuteRecord, "id">): MuteRecord;
  /** What it covers and stands counts as changed now; so does what it has hidden the end of. */
  removeMute(mute: MuteRecord, now: number): void;
  /** These are the sinks from now on; the others are forgotten. */
  useSinks(names: readonly string[]): readonly SinkRecord[];
  setTold(sink: string, revision: number): void;
  addEvent(event: Omit<EventRecord, "sequence">): EventRecord;
  events(after: number, limit: number): readonly EventRecord[];
  /** Oldest first. */
  newestEvents(limit: number): readonly EventRecord[];
  /** Called after an event was added: there are new ones to be read. */
  watchEvents(listener: () => void): Disposable;
  /** The newest events about a node or an operation, oldest first. */
  eventsAbout(
    subject: { readonly node: string } | { readonly operationId: string },
    limit: number,
  ): readonly EventRecord[];
};

type TokenRecord = {
  readonly hash: string;
  readonly node: string;
  readonly createdAt: number;
  readonly expiresAt: number;
};
export type AgentRecord = {
  readonly node: string;
  readonly secretHash: string;
  readonly joinedAt: number;
};
export type OperationOptions = { readonly onFailure: "pause" | "rollback" };

export type StepRecord = {
  readonly index: number;
  readonly state: StepState;
  /** Counts up with every command sent for it: part of the command's id. */
  readonly attempt: number;
  readonly startedAt: number | null;
  /** null with `failed`: its agent stayed away, no end of it was seen. */
  readonly endedAt: number | null;
  readonly evidence: unknown;
  readonly failure: FailureRecord | null;
};

export type OperationRecord = OperationHeader &
  OperationOptions & {
    readonly state: OperationState;
    readonly plan: Plan;
    readonly steps: readonly StepRecord[];
    readonly startedAt: number | null;
    readonly endedAt: number | null;
    readonly failure: FailureRecord | null;
    /** How often it was held because its journal was restored: part of its commands' ids. */
    readonly restores: number;
  };

export type BaselineRecord = {
  readonly node: string;
  readonly path: string;
  readonly hash: string | null;
  /** null: not known yet, and not compared. */
  readonly mode: number | null;
  readonly owner: string | null;
  readonly maskedText: string | null;
  readonly acceptedAt: number;
  /** A person, `first sight`, or `operation op-…`. */
  readonly acceptedBy: string;
};

/** What a watched file was, as its agent told it; `seenAt` is when, `modifiedAt` the file's own time. */
export type FileVersionRecord = Omit<FileFacts, "origin" | "ownerName"> & {
  readonly node: string;
  readonly version: number;
  readonly ownerName: string | null;
  /** Its text was too long to be kept. */
  readonly isCut: boolean;
  readonly seenAt: number;
  readonly acceptedAt: number | null;
  readonly acceptedBy: string | null;
};

export type AlertRecord = {
  readonly id: number;
  readonly cause: string;
  readonly severity: "info" | "warning" | "critical";
  readonly node: string | null;
  /** The id of the rule that is broken. */
  readonly rule: string | null;
  readonly file: string | null;
  readonly line: number | null;
  readonly summary: string;
  /** A masked diff, or what it rests on. */
  readonly detail: string;
  /** What to type. */
  readonly fix: string | null;
  /** Who made it so, where the system can tell. */
  readonly who: string | null;
  readonly state: "open" | "acknowledged" | "resolved";
  readonly firstSeenAt: number;
  readonly lastSeenAt: number;
  readonly count: number;
  readonly acknowledgedAt: number | null;
  readonly acknowledgedBy: string | null;
  readonly note: string | null;
  /** Recorded, not sent. */
  readonly isMuted: boolean;
};

type OptionalOfAlert = "rule" | "file" | "line" | "fix" | "who";
export type AlertInput = Pick<AlertRecord, "cause" | "severity" | "node" | "summary" | "detail"> &
  Partial<Pick<AlertRecord, OptionalOfAlert>> & {
    /** False: its detail differs, and who has acknowledged it need not look again. */
    readonly isNews?: boolean;
  };

export type AlertChange = {
  readonly alert: AlertRecord;
  /** Counts the changes of all alerts. */
  readonly revision: number;
  readonly kind: "opened" | "changed" | "acknowledged" | "reopened" | "resolved" | "unmuted";
  readonly changedAt: number;
  /** The same however often it is sent. */
  readonly eventId: string;
};

export type ChangedAlert = Pick<AlertRecord, "cause" | "severity" | "state" | "isMuted"> & {
  readonly revision: number;
};

export type MuteRecord = {
  readonly id: number;
  /** Of causes; `*` stands for anything. */
  readonly pattern: string;
  readonly until: number;
  readonly mutedAt: number;
  readonly mutedBy: string;
  readonly note: string | null;
};

export type SinkRecord = {
  readonly name: string;
  /** What was over before it is not told. */
  readonly firstRevision: number;
  readonly toldRevision: number;
};

export type DecisionRecord = { readonly at: number; readonly decision: Decision };

export type EventRecord = {
  readonly sequence: number;
  readonly at: number;
  readonly kind: string;
  readonly node: string | null;
  readonly operationId: string | null;
  readonly data: unknown;
};
