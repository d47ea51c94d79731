import type { ClusterStatus, NodeStatus, StatusAnswer } from "../../api/contract.ts";
import type { Finding } from "../../fleet/finding.ts";
import { renderCounts } from "./alerts.ts";
import { indent, renderTable } from "./table.ts";
import { renderBytes, renderDuration, renderTime } from "./units.ts";
import { wrap } from "./wrap.ts";

/** Of a terminal that nobody has widened, less what stands before. */
const width = 66;

/** The screen of `castellan status`: each cluster with what is wrong first, agents without a cluster last. */
export function renderStatus(status: StatusAnswer): readonly string[] {
  const lines = status.clusters.flatMap((cluster) => renderCluster(cluster, status));
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

function renderCluster(cluster: ClusterStatus, status: StatusAnswer): string[] {
  const { name, product, nodes, verdict } = cluster;
  const pool = cluster.pool === "none" ? "no pool" : `pool ${cluster.pool}`;
  const tables = nodes.length === 0 ? [] : [hostTable, roleTable, walTable, slotTable];
  return [
    `${name} is ${verdict.state} (${product}, ${pool})`,
    ...verdict.findings.flatMap(findingLines),
    ...tables.flatMap((table) => {
      const lines = table(cluster, status);
      return lines.length === 0 ? [] : ["", ...indent(lines, "  ")];
    }),
    ...indent(footLines(cluster), "  "),
    "",
  ];
}

function findingLines({ rule, severity, node, found, wanted, next }: Finding): readonly string[] {
  const [first = "", ...more] = wrap(`${node === null ? "" : `${node}: `}${found}`, width);
  return [
    `  ${severity.padEnd(8)}  ${first}`,
    ...indent([...more, ...wrap(`right: ${wanted} (${rule})`, width), `next:  ${next}`], " ".repeat(12)), // prettier-ignore
  ];
}

function hostTable({ nodes }: ClusterStatus, { at, version }: StatusAnswer): readonly string[] {
  return renderTable(
    ["NODE", "ADDRESS", "AGENT", "TOLD", "GUARD"],
    nodes.map((node) => [
      node.name,
      `${node.address}:${node.port}`,
      renderAgent(node, version),
      renderTold(node, at),
      node.guard?.mode ?? "-",
    ]),
  );
}

function roleTable({ nodes }: ClusterStatus): readonly string[] {
  return renderTable(
    ["NODE", "DATABASE", "ROLE", "IN POOL", "IN FILES", "TIMELINE", "POOL ROW"],
    nodes.map((node) => [
      node.name,
      node.database,
      node.role ?? "-",
      renderPools(node, "role"),
      node.roleByFiles ?? "-",
      node.timeline?.toString() ?? "-",
      renderPools(node, "status"),
    ]),
  );
}

function walTable({ nodes }: ClusterStatus): readonly string[] {
  return renderTable(
    ["NODE", "UPSTREAM", "STREAM", "SYNC", "LAG", "SLOT"],
    nodes.map((node) => [
      node.name,
      node.upstream ?? "-",
      node.replicationState ?? "-",
      node.syncState ?? "-",
      renderLag(node),
      node.slotActive === null ? "-" : node.slotActive ? "active" : "inactive",
    ]),
  );
}

/** Those that hold back WAL: the others can't fill a disk. */
function slotTable({ nodes }: ClusterStatus): readonly string[] {
  const rows = nodes.flatMap(({ name, slots, walDisk }) =>
    slots.flatMap((slot) => {
      if (slot.retainedBytes === null) return [];
      const seconds = walDisk?.secondsToFull ?? null;
      return [
        [
          name,
          slot.name,
          renderBytes(slot.retainedBytes),
          slot.budgetBytes === null ? "none" : renderBytes(slot.budgetBytes),
          walDisk === null ? "-" : renderBytes(walDisk.freeBytes),
          walDisk === null ? "-" : seconds === null ? "not filling" : renderDuration(seconds * 1_000), // prettier-ignore
        ],
      ];
    }),
  );
  const headings = ["ON", "SLOT", "HOLDS BACK", "BUDGET", "DISK FREE", "FULL IN"];
  return rows.length === 0 ? [] : renderTable(headings, rows);
}

function footLines({ virtualAddresses, operation, alerts }: ClusterStatus): readonly string[] {
  const counts = renderCounts(alerts);
  const lines = [
    ...virtualAddresses.map(
      ({ of, address, on }) => `virtual address of the ${of} ${address}: ${on.length === 0 ? "on no node that is seen" : on.join(", ")}`, // prettier-ignore
    ),
    ...(operation === null
      ? []
      : [`operation ${operation.id} on ${operation.subject} is ${operation.state}: castellan operation watch ${operation.id}`]), // prettier-ignore
    ...(counts === null ? [] : [`${counts}: castellan alert list`]),
  ];
  return lines.length === 0 ? [] : ["", ...lines];
}

/** Its version too where it is not the coordinator's: an upgrade is done host by host. */
function renderAgent({ agent, agentVersion }: NodeStatus, version: string): string {
  return agentVersion === null || agentVersion === version ? agent : `${agent} (${agentVersion})`;
}

/** How old its last word is; of one that is away, its absence. */
function renderTold({ agent, factsAt, lastSeenAt }: NodeStatus, at: number): string {
  const since = agent === "connected" ? factsAt : lastSeenAt;
  return since === null ? "-" : `${renderDuration(Math.max(0, at - since))} ago`;
}

function renderLag({ lagBytes, lagMs }: NodeStatus): string {
  if (lagBytes === null) return "-";
  if (lagMs === null) return renderBytes(lagBytes);
  return `${renderBytes(lagBytes)}, ${lagMs === 0 ? "" : "<= "}${renderDuration(lagMs)}`;
}

/** The pools' views, once when they agree: `up`, or `srv127:up srv129:down`. */
function renderPools({ pools }: NodeStatus, what: "status" | "role"): string {
  const views = new Set(pools.map((pool) => pool[what]));
  const shown = (text: string): string => (text === "" ? "-" : text);
  if (views.size <= 1) return shown([...views].join(""));
  return pools.map((pool) => `${pool.on}:${shown(pool[what])}`).join(" ");
}
