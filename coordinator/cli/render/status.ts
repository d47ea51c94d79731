import type { ClusterStatus, NodeStatus, StatusAnswer } from "../../api/contract.ts";
import { renderCounts } from "./alerts.ts";
import { renderTable } from "./table.ts";
import { renderBytes, renderTime } from "./units.ts";

/** The table of `castellan status`: one block a cluster, agents without a cluster last. */
export function renderStatus(status: StatusAnswer): readonly string[] {
  const lines = status.clusters.flatMap((cluster) => renderCluster(cluster, status.version));
  if (status.unassigned.length > 0) {
    lines.push(
      "Agents that belong to no cluster yet (castellan cluster import, castellan node add):",
    );
    lines.push(
      ...renderTable(
        ["NODE", "AGENT", "DATABASE", "ROLE"],
        status.unassigned.map((node) => [
          node.name,
          renderAgent(node, status.version),
          node.database,
          node.role ?? "-",
        ]),
      ),
    );
    lines.push("");
  }
  if (lines.length === 0) {
    lines.push(
      "No cluster is declared and no agent has joined. Begin with: castellan token create --node NAME",
    );
  }
  lines.push(`coordinator ${status.version}, epoch ${status.epoch}, ${renderTime(status.at)}`);
  return lines;
}

function renderCluster(cluster: ClusterStatus, version: string): string[] {
  const pool = cluster.pool === "none" ? "no pool" : `pool ${cluster.pool}`;
  const lines = [`${cluster.name} (${cluster.product}, ${pool})`];
  if (cluster.problem !== null) lines.push(`  ${cluster.problem}`);
  lines.push(
    ...renderTable(
      [
        "NODE",
        "ADDRESS",
        "AGENT",
        "DATABASE",
        "ROLE",
        "UPSTREAM",
        "STREAM",
        "SYNC",
        "LAG",
        "SLOT",
        "POOL",
      ],
      cluster.nodes.map((node) => nodeCells(node, version)),
    ),
  );
  for (const node of cluster.nodes) {
    for (const finding of node.findings) lines.push(`  ${node.name}: ${finding}`);
  }
  if (cluster.operation !== null) {
    const { id, state, subject } = cluster.operation;
    lines.push(`  operation ${id} on ${subject} is ${state}: castellan operation watch ${id}`);
  }
  const alerts = renderCounts(cluster.alerts);
  if (alerts !== null) lines.push(`  ${alerts}: castellan alert list`);
  lines.push("");
  return lines;
}

function nodeCells(node: NodeStatus, version: string): readonly string[] {
  return [
    node.name,
    `${node.address}:${node.port}`,
    renderAgent(node, version),
    node.database,
    node.role ?? "-",
    node.upstream ?? "-",
    node.replicationState ?? "-",
    node.syncState ?? "-",
    node.lagBytes === null ? "-" : renderBytes(node.lagBytes),
    node.slotActive === null ? "-" : node.slotActive ? "active" : "inactive",
    renderPools(node),
  ];
}

/** Its version too where it is not the coordinator's: an upgrade is done host by host. */
function renderAgent({ agent, agentVersion }: NodeStatus, version: string): string {
  return agentVersion === null || agentVersion === version ? agent : `${agent} (${agentVersion})`;
}

/** The pools' views, once when they agree: `up`, or `srv127:up srv129:down`. */
function renderPools(node: NodeStatus): string {
  const statuses = new Set(node.pools.map((pool) => pool.status));
  if (node.pools.length === 0) return "-";
  if (statuses.size === 1) return [...statuses].join("");
  return node.pools.map((pool) => `${pool.on}:${pool.status}`).join(" ");
}
