import type { FileFacts, NodeFacts } from "#shared/domain/facts.ts";

/** The part of a node's facts that rules look at: while it stays the same, nothing has to be judged again. */
export type RuleFacts = {
  readonly host: Pick<NodeFacts["host"], "addresses">;
  readonly database: Pick<
    NodeFacts["database"],
    "status" | "role" | "versionNumber" | "settings"
  > & {
    readonly slots: readonly string[];
  };
  readonly poolRows: readonly {
    readonly id: number;
    readonly hostname: string;
    readonly port: number;
  }[];
  readonly guardMode: NodeFacts["guard"]["mode"];
  /** Slots of ours that the WAL budget took away: that is an alert of its own. */
  readonly droppedSlots: readonly string[];
  readonly files: readonly FileFacts[];
};

export function ruleFacts({ host, database, pool, guard, agent, files }: NodeFacts): RuleFacts {
  const { status, role, versionNumber, settings } = database;
  return {
    host: { addresses: host.addresses },
    database: {
      status,
      role,
      versionNumber,
      settings,
      slots: database.slots.map(({ name }) => name).toSorted(),
    },
    poolRows: (pool?.rows ?? []).map(({ id, hostname, port }) => ({ id, hostname, port })),
    guardMode: guard.mode,
    droppedSlots: agent.droppedSlots.map(({ name }) => name),
    files,
  };
}

/** A setting that the running server uses; null where it doesn't run or nobody has read it. */
export function inForce(facts: RuleFacts | null, name: string): string | null {
  return facts?.database.status === "running" ? (facts.database.settings[name] ?? null) : null;
}
