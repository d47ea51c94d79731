import { setting, type KnownNode } from "../add-node/situation.ts";

/** A standby does not start with less of these than its primary has (PostgreSQL docs, "Administrator's Overview" of hot standby). */
const parameters = [
  "max_connections",
  "max_worker_processes",
  "max_wal_senders",
  "max_prepared_transactions",
  "max_locks_per_transaction",
] as const;

export type RestartOrder = {
  /** Raised: standbys first. Lowered: the primary, which writes the new values into the WAL that they replay. */
  readonly first: "standbys" | "primary";
  /** Whose start would be refused, in words. */
  readonly refusals: readonly { readonly node: string; readonly because: string }[];
};

export function restartOrder(
  primary: KnownNode,
  standbys: readonly KnownNode[],
  successor: KnownNode,
): RestartOrder {
  const changes = parameters.map((name) => ({ name, ...valuesOf(primary, name) }));
  const lowered = changes.filter(({ now, next }) => next < now);
  const raised = changes.filter(({ now, next }) => next > now);
  const first = lowered.length > 0 ? "primary" : "standbys";
  const refusals: { node: string; because: string }[] = [];
  const [up, down] = [raised[0], lowered[0]];
  if (up !== undefined && down !== undefined) {
    refusals.push({ node: primary.declared.name, because: `${up.name} is raised and ${down.name} lowered at once: one of them first` }); // prettier-ignore
  }
  for (const { name, now, next } of changes) {
    const demand = (node: KnownNode, least: number, leader: KnownNode): void => {
      const has = valuesOf(node, name).next;
      if (has >= least) return;
      refusals.push({ node: node.declared.name, because: `${name} of ${node.declared.name} would be ${has}, and ${leader.declared.name} has ${least}: as its standby it would not start` }); // prettier-ignore
    };
    for (const node of standbys) demand(node, first === "primary" ? next : now, primary);
    if (first === "primary") continue;
    const later = [...standbys, primary].filter((node) => node !== successor);
    for (const node of later) demand(node, valuesOf(successor, name).next, successor);
  }
  return { first, refusals };
}

/** In force, and after the next start. */
function valuesOf(node: KnownNode, name: string): { readonly now: number; readonly next: number } {
  const now = Number(setting(node, name) ?? 0);
  const waits = node.facts?.database.fileSettings?.find(
    (one) => one.name.toLowerCase() === name && one.state === "waits-for-restart",
  );
  const next = waits?.inFile == null ? now : Number(waits.inFile);
  return { now, next: Number.isFinite(next) ? next : now };
}
