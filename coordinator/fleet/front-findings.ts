import type { NodeStatus } from "../api/contract.ts";
import { renderTime } from "../cli/render/units.ts";
import {
  ofCluster,
  ofNodes,
  primariesIn,
  type FindingRule,
  type JudgedCluster,
} from "./finding-rule.ts";

/** What clients come through, and who looks after it: pools, addresses, guards, alerts, operations. */
export const frontFindings: readonly FindingRule[] = [
  {
    rule: "no-pool",
    area: "pool",
    severity: "critical",
    makes: "down",
    wanted: "a pool runs",
    alsoSaidBy: ["pool-dead", "pool-stopped"],
    find: (cluster) => {
      const pools = poolsIn(cluster);
      const dead = pools.length > 0 && pools.every(({ ownPool }) => isDead(ownPool));
      return ofCluster(
        dead ? `no pool runs: ${pools.map(({ name, ownPool }) => `${name} ${ownPool}`).join(", ")}` : null, // prettier-ignore
        `castellan why ${pools[0]?.name}`,
      );
    },
  },
  {
    rule: "pool-not-running",
    area: "pool",
    severity: "warning",
    makes: "degraded",
    wanted: "every pool runs",
    alsoSaidBy: ["pool-dead", "pool-stopped"],
    find: ofNodes(({ name, ownPool, problems }, cluster) => {
      if (!isDead(ownPool) || poolsIn(cluster).every((pool) => isDead(pool.ownPool))) return null;
      const why = problems.pool === null ? "" : ` (${problems.pool})`;
      return { found: `its pool is ${ownPool}${why}`, next: `castellan why ${name}` };
    }),
  },
  {
    rule: "pool-names-another",
    area: "pool",
    severity: "critical",
    makes: "degraded",
    wanted: "every pool sends writes to the primary",
    alsoSaidBy: ["pool-contradicts-database"],
    find: (cluster) => {
      const [primary, second] = primariesIn(cluster);
      if (primary === undefined || second !== undefined) return [];
      return poolsIn(cluster).flatMap((pool) => {
        if (pool.ownPool !== "running") return [];
        const named = cluster.nodes.filter(
          ({ pools }) =>
          pools.some(({ on, role, status }) => on === pool.name && role === "primary" && isUp(status)), // prettier-ignore
        );
        if (named.length === 1 && named[0] === primary) return [];
        const whom = named.length === 0 ? "nobody" : named.map(({ name }) => name).join(" and ");
        return [{ node: pool.name, found: `its pool sends writes to ${whom}; the primary is ${primary.name}`, next: `castellan why ${pool.name}` }]; // prettier-ignore
      });
    },
  },
  {
    rule: "pool-row-not-up",
    area: "pool",
    severity: "warning",
    makes: "degraded",
    wanted: "every pool has a node that runs and streams up",
    alsoSaidBy: ["backend-down-though-streaming"],
    find: ofNodes(({ name, database, role, isReceiving, pools }) => {
      if (database !== "running" || (role === "standby" && isReceiving !== true)) return null;
      const rows = pools.filter(({ status }) => !isUp(status) && !isUnseen(status));
      if (rows.length === 0) return null;
      const each = rows.map(({ on, status }) => `${status} in the pool of ${on}`);
      return { found: `it is ${each.join(", ")}`, next: `castellan why ${name}` };
    }),
  },
  {
    rule: "vip-missing",
    area: "vip",
    severity: "critical",
    makes: "degraded",
    wanted: "one node has the virtual address",
    alsoSaidBy: ["vip-missing-on-primary"],
    find: (cluster) =>
      addressesOnNobody(cluster).flatMap(({ of, address }) =>
        cluster.nodes.some(({ database }) => database === "unknown")
          ? []
          : ofCluster(
              `the virtual address of the ${of}, ${address}, is on no node`,
              nextOf(cluster),
            ),
      ),
  },
  {
    rule: "vip-unseen",
    area: "vip",
    severity: "unknown",
    makes: "degraded",
    wanted: "one node has the virtual address",
    find: (cluster) => {
      const unknown = cluster.nodes.filter(({ database }) => database === "unknown");
      const [first] = unknown;
      if (first === undefined) return [];
      const unseen = cluster.virtualAddresses.filter(({ on }) => on.length === 0);
      return unseen.flatMap(({ of, address }) =>
        ofCluster(
          `the virtual address of the ${of}, ${address}, may be on ${unknown.map(({ name }) => name).join(" or ")}, which nobody can ask`,
          `systemctl status castellan-agent, on ${first.name}`,
        ),
      );
    },
  },
  {
    rule: "vip-misplaced",
    area: "vip",
    severity: "critical",
    makes: "degraded",
    wanted: "one node has the virtual address, that of the database the primary",
    alsoSaidBy: ["vip-on-non-primary"],
    find: (cluster) => {
      const primaries = primariesIn(cluster).map(({ name }) => name);
      return cluster.virtualAddresses.flatMap(({ of, address, on }) => {
        const [first, second] = on;
        if (first === undefined) return [];
        const isRight = second === undefined && (of === "pool" || primaries.length === 0 || primaries.includes(first)); // prettier-ignore
        return ofCluster(
          isRight
            ? null
            : `the virtual address of the ${of}, ${address}, is on ${on.join(" and ")}`,
          `castellan why ${first}`,
        );
      });
    },
  },
  {
    rule: "guard-in-maintenance",
    area: "guard",
    severity: "warning",
    makes: null,
    wanted: "its guard is in force when the work is done",
    find: ofNodes(({ name, guard }) =>
      guard?.mode === "maintenance"
        ? { found: `its guard is in maintenance until ${renderTime(guard.maintenance?.until ?? null)}`, next: `castellan guard maintenance ${name} --end` } // prettier-ignore
        : null,
    ),
  },
  {
    rule: "guard-modes-differ",
    area: "guard",
    severity: "warning",
    makes: null,
    wanted: "the guards of a cluster are in one mode",
    find: ({ name, nodes }) => {
      const inMode = (mode: string) =>
        nodes.filter(({ guard }) => guard?.mode === mode).map((node) => node.name);
      const [observing, enforcing] = [inMode("observe"), inMode("enforce")];
      const differ = observing.length > 0 && enforcing.length > 0;
      return ofCluster(
        differ ? `guards enforce on ${enforcing.join(", ")}, and only observe on ${observing.join(", ")}` : null, // prettier-ignore
        `castellan guard takeover ${name} --dry-run`,
      );
    },
  },
  {
    rule: "critical-alerts",
    area: "alerts",
    severity: "critical",
    makes: "degraded",
    wanted: "no critical alert stands",
    find: ({ alerts: { critical } }) =>
      ofCluster(critical === 0 ? null : countText(critical, "critical"), "castellan alert list"),
  },
  {
    rule: "warning-alerts",
    area: "alerts",
    severity: "warning",
    makes: null,
    wanted: "no warning stands",
    find: ({ alerts: { warning } }) =>
      ofCluster(warning === 0 ? null : countText(warning, "warning"), "castellan alert list"),
  },
  {
    rule: "operation-waits",
    area: "operation",
    severity: "warning",
    makes: "degraded",
    wanted: "an operation ends, or is aborted",
    find: ({ operation, problem, nodes }) => {
      if (operation === null) return [];
      const { id, state, subject } = operation;
      const said = nodes.length === 0 ? null : problem;
      const waits = state === "paused" ? `operation ${id} on ${subject} is paused: it waits for a person` : null; // prettier-ignore
      return ofCluster(said ?? waits, `castellan operation show ${id}`);
    },
  },
];

function poolsIn({ nodes }: JudgedCluster): readonly NodeStatus[] {
  const managers = new Set(nodes.flatMap(({ pools }) => pools.map(({ on }) => on)));
  return nodes.filter(({ name }) => managers.has(name));
}

function isDead(pool: NodeStatus["ownPool"]): boolean {
  return pool !== null && pool !== "running";
}

/** A pool's row is `waiting` until the first client comes (pgpool documentation). */
function isUp(status: string): boolean {
  return status === "up" || status === "waiting";
}

/** Of a pool that does not answer nobody knows its rows. */
function isUnseen(status: string): boolean {
  return status === "unknown" || status === "stopped" || status === "unreachable";
}

/** While nobody is the primary, or no pool runs, they rightly are. */
function addressesOnNobody(cluster: JudgedCluster): JudgedCluster["virtualAddresses"] {
  const hasPrimary = primariesIn(cluster).length > 0;
  const hasPool = poolsIn(cluster).some(({ ownPool }) => ownPool === "running");
  return cluster.virtualAddresses.filter(
    ({ of, on }) => on.length === 0 && (of === "database" ? hasPrimary : hasPool),
  );
}

function nextOf(cluster: JudgedCluster): string {
  const [primary] = primariesIn(cluster);
  return primary === undefined ? `castellan guard status ${cluster.name}` : `castellan why ${primary.name}`; // prettier-ignore
}

function countText(count: number, severity: string): string {
  return count === 1 ? `1 ${severity} alert stands` : `${count} ${severity} alerts stand`;
}
