import { isDeepStrictEqual } from "node:util";
import type { FactsDelta, NodeFacts } from "#shared/domain/facts.ts";
import type { AgentMessage } from "#shared/protocol/messages.ts";

type Snapshot = { readonly version: number; readonly facts: NodeFacts };
type Whole = Extract<AgentMessage, { type: "facts" }>;
type Delta = Extract<AgentMessage, { type: "facts-changed" }>;

/** What the coordinator has of our facts, and so what it must be sent. Versions count up while the agent lives. */
export type FactsStream = {
  /** The other end has nothing yet (a new connection). */
  forget(): void;
  whole(facts: NodeFacts): Whole;
  /** The whole where it has nothing; the sections that changed; null where nothing did. */
  next(facts: NodeFacts): Whole | Delta | null;
};

export function createFactsStream(): FactsStream {
  let version = 0;
  let held: Snapshot | null = null;
  const whole = (facts: NodeFacts): Whole => {
    version += 1;
    held = { version, facts };
    return { type: "facts", version, facts };
  };
  return {
    forget: () => {
      held = null;
    },
    whole,
    next: (facts) => {
      if (held === null) return whole(facts);
      const sections = changedSections(held.facts, facts);
      if (Object.keys(sections).length === 0) return null;
      const base = held.version;
      version += 1;
      held = { version, facts };
      return { type: "facts-changed", base, version, sections };
    },
  };
}

function changedSections(before: NodeFacts, after: NodeFacts): FactsDelta {
  return {
    ...(differs(before.agent, after.agent) ? { agent: after.agent } : {}),
    ...(hostDiffers(before.host, after.host) ? { host: after.host } : {}),
    ...(differs(before.database, after.database) ? { database: after.database } : {}),
    ...(differs(before.pool, after.pool) ? { pool: after.pool } : {}),
    ...(differs(before.files, after.files) ? { files: after.files } : {}),
    ...(differs(before.guard, after.guard) ? { guard: after.guard } : {}),
  };
}

function differs(before: unknown, after: unknown): boolean {
  return before !== after && !isDeepStrictEqual(before, after);
}

/** The clock alone is no news: it would make every look a message. */
function hostDiffers(before: NodeFacts["host"], after: NodeFacts["host"]): boolean {
  return differs(before, after) && differs({ ...before, clockMs: 0 }, { ...after, clockMs: 0 });
}
