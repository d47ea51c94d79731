import type { FactsDelta, NodeFacts } from "#shared/domain/facts.ts";

export type HeldFacts = { readonly version: number; readonly facts: NodeFacts };
export type DeltaOutcome = { readonly held: HeldFacts } | "resend" | "stale";

/**
 * Whole facts, then deltas on top of exactly the version that they were made from. Anything else asks
 * for the whole again; what is older than we hold is dropped.
 */
export function applyDelta(
  held: HeldFacts | null,
  delta: { readonly base: number; readonly version: number; readonly sections: FactsDelta },
): DeltaOutcome {
  if (held === null) return "resend";
  if (delta.version <= held.version) return "stale";
  if (delta.base !== held.version) return "resend";
  const { agent, host, database, pool, files, guard } = delta.sections;
  const facts: NodeFacts = {
    agent: agent ?? held.facts.agent,
    host: host ?? held.facts.host,
    database: database ?? held.facts.database,
    // null is a value here: this host runs no pool.
    pool: pool === undefined ? held.facts.pool : pool,
    files: files ?? held.facts.files,
    guard: guard ?? held.facts.guard,
  };
  return { held: { version: delta.version, facts } };
}
