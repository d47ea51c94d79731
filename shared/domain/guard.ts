import * as z from "zod";
import { ChangedFile } from "./changed-file.ts";
import { Address, Name, Port } from "./names.ts";

/** The words of the guard on the wire and on disk: modes, steps as data, decisions. */

export const GuardMode = z.strictObject({
  /** observe: says what it would do. maintenance: goes on watching and telling, and does nothing. */
  mode: z.enum(["observe", "enforce", "maintenance"]),
  /** When maintenance ends by itself, on that host's clock; the mode before it is in force again. */
  until: z.number().nullable(),
  /** Who asked for maintenance, and why. */
  by: z.string().nullable(),
  note: z.string().nullable(),
});
export type GuardMode = z.infer<typeof GuardMode>;

/** Nothing stays off for ever because somebody forgot it. */
export const mostMaintenanceMs = 30 * 86_400_000;

/** What a rule's steps touch: what an operation reserves of a node for one of its own. */
export const RuleClass = z.enum(["database", "role", "vip", "sync", "pool", "pool-row", "disk"]);
export type RuleClass = z.infer<typeof RuleClass>;

/** What a rule has the guard do: pure data, without secrets. */
const GuardStep = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("drop-vip") }),
  z.strictObject({ do: z.literal("add-vip") }),
  z.strictObject({ do: z.literal("stop-database"), mode: z.literal("fast") }),
  z.strictObject({ do: z.literal("start-database") }),
  z.strictObject({ do: z.literal("write-standby-marker") }),
  /** Takes the marker that the guard wrote away and starts the server as the primary that it was. */
  z.strictObject({ do: z.literal("open-as-primary") }),
  z.strictObject({
    do: z.literal("synchronous"),
    /** The value of synchronous_standby_names; empty for asynchronous. */
    names: z.string().max(2_000),
    /** Standbys that left: what they lack was acknowledged, so nobody may promote them. */
    notPromotable: z.array(Name).max(64),
  }),
  z.strictObject({ do: z.literal("attach-backend"), id: z.int().nonnegative() }),
  z.strictObject({ do: z.literal("detach-backend"), id: z.int().nonnegative() }),
  z.strictObject({ do: z.literal("repoint"), node: Name, host: Address, port: Port }),
  /** Archives what it has and the new primary has not, rewinds, follows. */
  z.strictObject({ do: z.literal("rejoin"), node: Name, host: Address, port: Port }),
  z.strictObject({ do: z.literal("restart-pool") }),
  z.strictObject({ do: z.literal("offer-rebuild"), because: z.string().max(500) }),
]);
export type GuardStep = z.infer<typeof GuardStep>;

/** The words for a step, wherever it is shown: `stop the database (fast)`. */
export function stepText(step: GuardStep): string {
  switch (step.do) {
    case "drop-vip":
      return "take the virtual address off this host";
    case "add-vip":
      return "put the virtual address on this host";
    case "stop-database":
      return `stop the database (${step.mode})`;
    case "start-database":
      return "start the database";
    case "write-standby-marker":
      return "write a standby marker, so that it can't come up as a second primary";
    case "synchronous":
      return step.names === ""
        ? "make the primary asynchronous"
        : `set synchronous_standby_names to ${step.names}`;
    case "attach-backend":
      return `attach backend ${step.id} to the pool`;
    case "detach-backend":
      return `detach backend ${step.id} from the pool`;
    case "open-as-primary":
      return "take our standby marker away and start it as the primary that it was";
    case "repoint":
      return `follow ${step.node} (${step.host}:${step.port})`;
    case "rejoin":
      return `archive the WAL that ${step.node} has not, rewind to ${step.host}:${step.port} and follow it`;
    case "restart-pool":
      return "restart the pool";
    case "offer-rebuild":
      return `offer a rebuild: ${step.because}`;
  }
}

/** A rule that nearly fired: what it saw, and what was missing. */
export const NearMiss = z.strictObject({
  rule: z.string().max(64),
  evidence: z.string().max(1_000),
  missing: z.string().max(500),
});
export type NearMiss = z.infer<typeof NearMiss>;

/** Of the facts that a decision keeps, as JSON. */
export const mostInputs = 4_096;
export const mostNearMisses = 20;
/** Rows of a large pool are brought right in turns. */
export const mostSteps = 16;
export const mostChangedFiles = 32;

export const Decision = z.strictObject({
  id: z.string().min(1).max(64),
  /** On that host's clock. */
  at: z.number(),
  node: Name,
  rule: z.string().max(64),
  because: z.string().max(500),
  evidence: z.string().max(2_000),
  class: RuleClass,
  steps: z.array(GuardStep).max(mostSteps),
  /**
   * would: not in charge. held: in charge, and kept from it. begun: on disk before the first step; done or failed takes
   * its place. cleared: what was found is no longer so.
   */
  outcome: z.enum(["would", "held", "begun", "done", "failed", "cleared"]),
  /** Of held and failed; of done: what was read back. */
  why: z.string().max(1_000).nullable(),
  /** JSON of the facts that were looked at. */
  inputs: z.string().max(mostInputs),
  nearMisses: z.array(NearMiss).max(mostNearMisses),
  /** Of its end: what its steps edited. Left out where that is nothing, and by agents of before. */
  files: z.array(ChangedFile).max(mostChangedFiles).optional(),
});
export type Decision = z.infer<typeof Decision>;
