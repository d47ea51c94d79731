import type { JudgedCluster } from "#coordinator/fleet/finding-rule.ts";
import type { NodeStatus, StatusAnswer } from "#coordinator/api/contract.ts";
import { judgeCluster } from "#coordinator/fleet/verdict.ts";

/** The primary of a healthy cluster, with what differs. */
function somePrimary(name: string, change: Partial<NodeStatus> = {}): NodeStatus {
  return {
    name,
    address: `192.168.4.${name.slice(3)}`,
    port: 54_321,
    agent: "connected",
    agentVersion: "0.1.0",
    lastSeenAt: 10_000,
    factsAt: 8_000,
    database: "running",
    role: "primary",
    roleByFiles: "primary",
    timeline: 3,
    upstream: null,
    replicationState: null,
    syncState: null,
    isReceiving: false,
    lagBytes: null,
    lagMs: null,
    synchronous: { names: "", standbys: 0 },
    slotActive: null,
    pools: [],
    slots: [],
    walDisk: null,
    ownPool: null,
    guard: { mode: "enforce", maintenance: null, findings: [] },
    problems: { database: null, upstream: null, pool: null, rebuild: null },
    ...change,
  };
}

function someStandby(name: string, upstream: string, change: Partial<NodeStatus> = {}): NodeStatus {
  return somePrimary(name, {
    role: "standby",
    roleByFiles: "standby",
    upstream,
    replicationState: "streaming",
    syncState: "async",
    isReceiving: true,
    lagBytes: 0,
    lagMs: 0,
    slotActive: true,
    ...change,
  });
}

/** A node of which nobody can tell anything. */
export function unseen(
  node: NodeStatus,
  agent: "away" | "not-joined",
  change: Partial<NodeStatus> = {},
): NodeStatus {
  return {
    ...node,
    agent,
    database: "unknown",
    role: null,
    roleByFiles: null,
    timeline: null,
    isReceiving: null,
    synchronous: null,
    slots: [],
    ownPool: null,
    guard: null,
    ...change,
  };
}

export const walDisk = {
  directory: "/data/pg_wal",
  freeBytes: 30 * 1024 ** 3,
  totalBytes: 40 * 1024 ** 3,
  fillBytesPerSecond: null,
  secondsToFull: null,
};

/** A healthy one: two management nodes, three data nodes, both virtual addresses. */
export function someStatusCluster(
  change: Partial<JudgedCluster> = {},
  node: (node: NodeStatus) => NodeStatus = (same) => same,
): JudgedCluster {
  const rows = (role: string): NodeStatus["pools"] =>
    ["srv127", "srv129"].map((on) => ({ on, status: "up", role }));
  const slot = (name: string) => ({ name, active: true, retainedBytes: 0, budgetBytes: 4 * 1024 ** 3 }); // prettier-ignore
  const nodes = [
    somePrimary("srv127", { pools: rows("primary"), ownPool: "running", slots: [slot("slot_srv129"), slot("slot_srv159")], walDisk }), // prettier-ignore
    someStandby("srv129", "srv127", { pools: rows("standby"), ownPool: "running" }),
    someStandby("srv159", "srv127", { pools: rows("standby") }),
  ];
  return {
    name: "ESHA",
    product: "kingbase-v8r3",
    pool: "kingbasecluster",
    nodes: nodes.map(node),
    problem: null,
    operation: null,
    virtualAddresses: [
      { of: "database", address: "192.168.4.126", on: ["srv127"] },
      { of: "pool", address: "192.168.4.125", on: ["srv127"] },
    ],
    alerts: { critical: 0, warning: 0, info: 0 },
    ...change,
  };
}

export function someStatus(cluster: JudgedCluster): StatusAnswer {
  const verdict = judgeCluster(cluster);
  return {
    state: verdict.state,
    version: "0.1.0",
    epoch: 3,
    at: 10_000,
    clusters: [{ ...cluster, verdict }],
    unassigned: [],
  };
}
