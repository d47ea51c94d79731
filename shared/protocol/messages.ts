import * as z from "zod";
import { ClusterView, PeerSight } from "../domain/cluster-view.ts";
import { CommandEnvelope, Progress } from "../domain/commands.ts";
import { FactsDelta, NodeFacts } from "../domain/facts.ts";
import { Decision, RuleClass } from "../domain/guard.ts";
import { FailureRecord } from "../domain/operation.ts";
import { Name, OperationId } from "../domain/names.ts";

/** First message of an agent. The coordinator answers `welcome`, or closes with a reason. */
const Hello = z.strictObject({
  type: z.literal("hello"),
  protocol: z.int(),
  agentVersion: z.string(),
  node: Name,
  /** New at every start of the agent; two live ones for a node are two agents claiming it. */
  instanceId: z.string(),
  highestEpoch: z.int().nonnegative(),
  clockMs: z.number(),
});

/** A whole snapshot. `version` counts up within one instance of the agent. */
const Facts = z.strictObject({
  type: z.literal("facts"),
  version: z.int().positive(),
  facts: NodeFacts,
  /** The `question` of the observe-now that this snapshot was begun after. */
  answers: z.int().positive().optional(),
});

/** The sections that changed after `base`. A receiver without `base` asks with `resend-facts`. */
const FactsChanged = z.strictObject({
  type: z.literal("facts-changed"),
  base: z.int().positive(),
  version: z.int().positive(),
  sections: FactsDelta,
});

const CommandAccepted = z.strictObject({
  type: z.literal("command-accepted"),
  commandId: z.string(),
});

const CommandProgress = z.strictObject({
  type: z.literal("command-progress"),
  commandId: z.string(),
  progress: Progress,
});

/** Sent again after a reconnect until acknowledged. */
const CommandEnded = z.strictObject({
  type: z.literal("command-ended"),
  commandId: z.string(),
  /** interrupted: the agent was restarted meanwhile; nothing was run from disk. */
  outcome: z.enum(["done", "failed", "refused", "interrupted"]),
  /** The kind's result when done. */
  result: z.unknown(),
  failure: FailureRecord.nullable(),
});

/** Something that happened on the host while nobody asked. Sent again until acknowledged. */
const HostEvent = z.strictObject({
  type: z.literal("host-event"),
  eventId: z.string(),
  at: z.number(),
  kind: z.enum(["file-changed", "guard-finding", "guard-cleared", "wal-budget"]),
  /** One per cause: opening twice is one alert. */
  cause: z.string(),
  severity: z.enum(["info", "warning", "critical"]),
  summary: z.string(),
  /** Masked diff or evidence. */
  detail: z.string(),
  /** The file that it is about, the first line that differs, and whose file it is now. */
  file: z.string().nullable().optional(),
  line: z.int().positive().nullable().optional(),
  who: z.string().nullable().optional(),
});

/** What the guard decided, and from what. Sent again after a reconnect until acknowledged; only to who `takesDecisions`. */
const DecisionMade = z.strictObject({ type: z.literal("decision"), decision: Decision });

export const AgentMessage = z.discriminatedUnion("type", [
  Hello,
  Facts,
  FactsChanged,
  CommandAccepted,
  CommandProgress,
  CommandEnded,
  HostEvent,
  DecisionMade,
]);
export type AgentMessage = z.infer<typeof AgentMessage>;

const Welcome = z.strictObject({
  type: z.literal("welcome"),
  protocol: z.int(),
  coordinatorVersion: z.string(),
  epoch: z.int().positive(),
  clockMs: z.number(),
  /** How often each side pings, and after how long a silence it gives the link up. */
  heartbeat: z.strictObject({ everyMs: z.int().positive(), lostAfterMs: z.int().positive() }),
});

const Command = z.strictObject({ type: z.literal("command"), command: CommandEnvelope });
const CommandAcknowledged = z.strictObject({
  type: z.literal("command-acknowledged"),
  commandId: z.string(),
});
/** Stop working on it (an abort): the agent ends it as failed and keeps it undoable. */
const CancelCommand = z.strictObject({
  type: z.literal("cancel-command"),
  commandId: z.string(),
  epoch: z.int().positive(),
});
const HostEventAcknowledged = z.strictObject({
  type: z.literal("host-event-acknowledged"),
  eventId: z.string(),
});
const DecisionAcknowledged = z.strictObject({
  type: z.literal("decision-acknowledged"),
  id: z.string(),
  /** Of what was recorded: it may have another one by now. Only to who `knowsCluster`. */
  outcome: Decision.shape.outcome.optional(),
});
/** What of a node its guard leaves to an operation, unless it is told again in time; 0 ends it. Only to who `knowsCluster`. */
const Reserve = z.strictObject({
  type: z.literal("reserve"),
  operationId: OperationId,
  classes: z.array(RuleClass).min(1),
  forMs: z.int().nonnegative().max(60_000),
});
const ResendFacts = z.strictObject({ type: z.literal("resend-facts") });
/** Observe everything now and send the whole snapshot (before planning). */
const ObserveNow = z.strictObject({
  type: z.literal("observe-now"),
  /** Counts up; only to agents that offer `numberedAnswers`. */
  question: z.int().positive().optional(),
});
/** Accepted content of a watched file, by sha256 (null: none), and its mode and owner where they are known. */
export const Baseline = z.strictObject({
  path: z.string(),
  hash: z.string().nullable(),
  mode: z.int().nullable().optional(),
  owner: z.string().nullable().optional(),
});
export type Baseline = z.infer<typeof Baseline>;

/** What the agent compares with. */
const Baselines = z.strictObject({
  type: z.literal("baselines"),
  files: z.array(Baseline),
});

/** How a cluster is declared; null where it does not name this node. Only to who `knowsCluster`. */
const ClusterViewTold = z.strictObject({
  type: z.literal("cluster-view"),
  cluster: Name,
  view: ClusterView.nullable(),
});
/** What the other agents of its cluster say; one that is away is left out. Only to who `knowsCluster`. */
const Sights = z.strictObject({ type: z.literal("sights"), peers: z.array(PeerSight).max(64) });

export const CoordinatorMessage = z.discriminatedUnion("type", [
  Welcome,
  Command,
  CommandAcknowledged,
  CancelCommand,
  HostEventAcknowledged,
  DecisionAcknowledged,
  ResendFacts,
  ObserveNow,
  Baselines,
  ClusterViewTold,
  Sights,
  Reserve,
]);
export type CoordinatorMessage = z.infer<typeof CoordinatorMessage>;

/** WebSocket close codes that are ours; the reason says more. */
export const closeCodes = {
  badMessage: 4400,
  badSecret: 4401,
  /** By an agent: what goes out may arrive where nothing comes in. */
  nothingHeard: 4408,
  alreadyConnected: 4409,
  wrongProtocol: 4426,
  shuttingDown: 4503,
} as const;

/** The WebSocket subprotocol of agents that know `question`: to those of before it would be no message. */
export const numberedAnswers = "castellan-numbered-answers";
/**
 * The subprotocol of coordinators that take `decision` as well, chosen where an agent offers it. It is offered second: a
 * coordinator of before takes whatever comes first.
 */
export const takesDecisions = "castellan-decisions";
/**
 * The subprotocol of agents and coordinators that know `cluster-view`, `sights`, `reserve` and the outcome of an
 * acknowledged decision too; offered last, for the same reason.
 */
export const knowsCluster = "castellan-cluster";

/** POST /agent/join, over TLS pinned by the fingerprint in the pasted line. */
export const JoinRequest = z.strictObject({
  token: z.string().min(16).max(128),
  node: Name,
  agentVersion: z.string(),
  protocol: z.int(),
});
export const JoinAnswer = z.strictObject({ secret: z.string(), certificatePem: z.string() });

/** POST /agent/failover, with the agent's own secret: a pool has lost its primary. */
export const FailoverCall = z.strictObject({
  /** Of the pool's row. */
  backendId: z.int().nonnegative(),
  host: z.string().max(255),
  port: z.int(),
});
export type FailoverCall = z.infer<typeof FailoverCall>;
/** promoted, or led by another one already: `primary` takes writes. held: by an operation that says who leads. waits: nobody was promoted. */
export const FailoverAnswer = z.strictObject({
  outcome: z.enum(["promoted", "led", "held", "waits"]),
  primary: Name.nullable(),
  because: z.string(),
  /** Of `waits`: it is on its way to be proved, and is to be asked for again. */
  again: z.literal(true).optional(),
});
export type FailoverAnswer = z.infer<typeof FailoverAnswer>;
