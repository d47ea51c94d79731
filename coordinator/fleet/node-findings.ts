import type { NodeStatus } from "../api/contract.ts";
import { renderTime } from "../cli/render/units.ts";
import {
  ofCluster,
  ofNodes,
  primariesIn,
  type FindingRule,
  type JudgedCluster,
} from "./finding-rule.ts";

/** Whether its nodes can be seen, run, and are what they should be. */
export const nodeFindings: readonly FindingRule[] = [
  {
    rule: "declaration-unreadable",
    area: "node",
    severity: "unknown",
    makes: "degraded",
    wanted: "a declaration that can be read",
    find: ({ name, nodes, problem }) =>
      ofCluster(nodes.length > 0 ? null : problem, `castellan cluster validate ${name}`),
  },
  {
    rule: "two-primaries",
    area: "node",
    severity: "critical",
    makes: "down",
    wanted: "exactly one node accepts writes",
    alsoSaidBy: ["two-primaries", "old-primary-running"],
    find: (cluster) => {
      const primaries = primariesIn(cluster).toSorted(
        (a, b) => (a.timeline ?? 0) - (b.timeline ?? 0),
      );
      const [former, other] = primaries;
      if (former === undefined || other === undefined) return [];
      const each = primaries.map(({ name, timeline }) => `${name} (timeline ${timeline ?? "?"})`);
      return ofCluster(`${each.join(" and ")} accept writes`, `castellan why ${former.name}`);
    },
  },
  {
    rule: "no-primary",
    area: "node",
    severity: "critical",
    makes: "down",
    wanted: "exactly one node accepts writes",
    find: (cluster) => {
      const { name, nodes } = cluster;
      const seen = nodes.filter(({ database }) => database !== "unknown");
      if (seen.length === 0 || primariesIn(cluster).length > 0 || mayStillWrite(cluster)) return [];
      return ofCluster(
        `no node is seen that accepts writes: ${nodes.map(roleText).join(", ")}`,
        nextWithoutPrimary(name, seen),
      );
    },
  },
  {
    rule: "database-not-running",
    area: "node",
    severity: "critical",
    makes: "degraded",
    wanted: "its database runs and answers",
    alsoSaidBy: [
      "database-dead",
      "database-not-started",
      "database-stopped",
      "database-unreachable",
      "old-primary-stopped",
    ],
    find: ofNodes(({ name, database, problems }, cluster) => {
      if (database === "running" || database === "unknown") return null;
      const why = problems.database === null ? "" : ` (${problems.database})`;
      return database === "absent"
        ? { found: `it has no database${why}`, next: `castellan node rebuild ${cluster.name} ${name}` } // prettier-ignore
        : { found: `its database is ${database}${why}`, next: `castellan why ${name}` };
    }),
  },
  {
    rule: "files-contradict-role",
    area: "node",
    severity: "critical",
    makes: "degraded",
    wanted: "a standby has a standby marker, a primary has none: a start opens it as what it is",
    find: ofNodes(({ name, database, role, roleByFiles }) =>
      database === "running" && role !== null && roleByFiles !== null && role !== roleByFiles
        ? { found: `it runs as a ${role}, and its files would start a ${roleByFiles}`, next: `castellan why ${name}` } // prettier-ignore
        : null,
    ),
  },
  {
    rule: "agent-not-joined",
    area: "agents",
    severity: "unknown",
    makes: "degraded",
    wanted: "an agent on every node",
    find: ofNodes(({ name, agent }) =>
      agent === "not-joined"
        ? { found: "no agent has joined: nothing is known of it", next: `castellan token create --node ${name}` } // prettier-ignore
        : null,
    ),
  },
  {
    rule: "agent-away",
    area: "agents",
    severity: "unknown",
    makes: "degraded",
    wanted: "its agent is connected",
    find: ofNodes(({ name, agent, lastSeenAt, upstream, replicationState }) => {
      if (agent !== "away") return null;
      const since = lastSeenAt === null ? "the coordinator was started" : renderTime(lastSeenAt);
      const streams = replicationState === null ? "" : `; ${upstream} says that its replication is ${replicationState}`; // prettier-ignore
      return {
        found: `unknown since ${since}, as its agent is away${streams}`,
        next: `systemctl status castellan-agent, on ${name}`,
      };
    }),
  },
  {
    rule: "facts-missing",
    area: "agents",
    severity: "unknown",
    makes: "degraded",
    wanted: "its agent tells what it sees",
    find: ofNodes(({ name, agent, database }) =>
      agent === "connected" && database === "unknown"
        ? { found: "its agent has not told its facts yet", next: `castellan why ${name}` }
        : null,
    ),
  },
];

/** Of a primary that is only stopped why so; where it is gone, who could take its place. */
function nextWithoutPrimary(cluster: string, seen: readonly NodeStatus[]): string {
  const running = seen.filter(({ database }) => database === "running");
  const former = seen.find(({ roleByFiles }) => roleByFiles === "primary");
  const [newest] = running.toSorted((a, b) => (b.timeline ?? 0) - (a.timeline ?? 0));
  if (newest === undefined) return `castellan cluster start ${cluster} --dry-run`;
  return former === undefined
    ? `castellan failover ${cluster} --to ${newest.name} --force --dry-run`
    : `castellan why ${former.name}`;
}

/** A node that nobody can ask, and from which a standby receives WAL. */
function mayStillWrite({ nodes }: JudgedCluster): boolean {
  return nodes.some(
    ({ name, database }) =>
      database === "unknown" &&
      nodes.some((other) => other.isReceiving === true && other.upstream === name),
  );
}

function roleText({ name, database, role }: NodeStatus): string {
  return `${name} ${database === "running" ? `is a ${role ?? "?"}` : `is ${database}`}`;
}
