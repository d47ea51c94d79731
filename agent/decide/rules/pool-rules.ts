import type { GuardView } from "../view.ts";
import type { Rule } from "./rule.ts";

const install =
  "root helper: castellan-root install with --start-pool, while the pool runs as it should";

/** The pool of this host, and who leads by its word. */
export const poolRules: readonly Rule[] = [
  {
    id: "pool-dead",
    because: "the pool of this host died, and clients reach nobody through it",
    severity: "critical",
    looks: 1,
    class: "pool",
    when: ({ hasDeadPool, facts: { pool } }) =>
      hasDeadPool ? (pool?.problem ?? "its pid file names no living process") : null,
    steps: ({ facts: { host } }) =>
      host.rootHelperVerbs.includes("pool-start") ? [{ do: "restart-pool" }] : [],
    next: `its log says why; where the guard is to start it: ${install}`,
  },
  {
    id: "pool-stopped",
    because: "the pool of this host was running and has been stopped by someone",
    severity: "warning",
    looks: 2,
    class: "pool",
    when: ({ hasDeadPool, facts: { pool }, marks }, { hadPool }) =>
      pool?.status === "stopped" && !hasDeadPool && hadPool && marks.stopped === null
        ? "no process and no pid file"
        : null,
    next: "start it when the work that it was stopped for is done; a clean stop is a person's word",
  },
  {
    id: "failover-unanswered",
    because:
      "the pool of this host has lost its primary, and the coordinator did not answer it: a pool asks once",
    severity: "critical",
    looks: 2,
    class: "pool",
    when: (view) =>
      view.unanswered === null || primariesOf(view).length > 0
        ? null
        : `it lost ${view.unanswered.lost} at ${new Date(view.unanswered.at).toISOString()}, and no primary is seen`,
    next: "castellan failover CLUSTER --to NODE --force --dry-run; or start the one that it lost",
  },
  {
    id: "two-primaries",
    because: "two nodes take writes, and what is written to one of them is lost",
    severity: "critical",
    looks: 2,
    class: "role",
    when: (view) => {
      const primaries = primariesOf(view);
      return primaries.length < 2
        ? null
        : primaries.map(({ node, timeline }) => `${node} (timeline ${timeline ?? "?"})`).join(", ");
    },
    next: "stop the one that nobody was to promote; castellan why says which rule acts, and what it waits for",
  },
  {
    id: "pool-contradicts-database",
    because: "the pool does not send writes to the node whose database is the primary",
    severity: "critical",
    looks: 5,
    class: "pool-row",
    when: (view) => {
      const [primary, ...others] = primariesOf(view);
      if (primary === undefined || others.length > 0) return null;
      const nameOf = (id: number): string | undefined =>
        view.cluster?.nodes.find(({ backendId }) => backendId === id)?.name;
      const wrong = view.pools.flatMap(({ node, rows }) => {
        const up = rows.filter(({ status }) => status === "up" || status === "waiting");
        const named = up.find(({ role }) => role === "primary");
        const isUp = up.some(({ id }) => nameOf(id) === primary.node);
        const name = named === undefined ? (isUp ? "nobody" : undefined) : nameOf(named.id);
        return name === undefined || name === primary.node ? [] : [`the pool of ${node} names ${name}`]; // prettier-ignore
      });
      return wrong.length === 0 ? null : `${wrong.join(", ")}; the primary is ${primary.node}`;
    },
    next: "castellan status; a pool finds its primary by itself within sr_check_period: where it does not, its log says why; one that names nobody finds it at its restart. Nothing is done from the pool's word alone",
  },
];

type Primary = { readonly node: string; readonly timeline: number | null };

export function primariesOf({ node, peers, facts: { database } }: GuardView): readonly Primary[] {
  const own =
    database.status === "running" && database.role === "primary"
      ? [{ node, timeline: database.timeline }]
      : [];
  return [...own, ...peers.filter((peer) => peer.database === "primary")];
}
