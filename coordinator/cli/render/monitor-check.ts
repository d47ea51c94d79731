import type { ClusterStatus, NodeStatus } from "../../api/contract.ts";
import type { Area, Finding } from "../../fleet/finding.ts";
import { primariesIn } from "../../fleet/finding-rule.ts";
import { mostLagBytes } from "../../fleet/replication-findings.ts";
import { renderBytes, renderDuration } from "./units.ts";

/** What a monitoring system reads: one line and an exit status (Monitoring Plugins' guidelines). */
export type MonitorResult = {
  readonly status: keyof typeof monitorExitCodes;
  readonly text: string;
  readonly perfdata: readonly string[];
};

export const monitorExitCodes = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;

/** `bytes` or `ms`: of an amount or of a time. */
export type Threshold = { readonly unit: "bytes" | "ms"; readonly value: number };
export type Thresholds = { readonly warning?: Threshold; readonly critical?: Threshold };

export type MonitorVerb = {
  readonly description: string;
  readonly judge: (cluster: ClusterStatus, thresholds: Thresholds) => Judged;
  readonly hasThresholds?: true;
};

type Reading = Pick<Finding, "severity" | "node" | "found">;
type Judged = {
  readonly readings: readonly Reading[];
  /** Said when nothing is wrong. */
  readonly fine: string;
  readonly perfdata?: readonly string[];
};

/** What can be asked for, beside `node`. */
export const monitorVerbs: Readonly<Record<string, MonitorVerb>> = {
  cluster: {
    description: "what makes it degraded or down",
    judge: (cluster) => ({
      readings: cluster.verdict.findings.filter(({ makes }) => makes !== null),
      fine: `${cluster.nodes.length} nodes, the primary is ${namesOf(primariesIn(cluster))}`,
      perfdata: [
        `nodes=${cluster.nodes.length}`,
        `findings=${cluster.verdict.findings.length};;;0`,
      ],
    }),
  },
  lag: {
    description: "how far standbys are behind (a size such as 16M, or a time such as 30s)",
    hasThresholds: true,
    judge: (cluster, { warning = defaultLag, critical }) => {
      const primaries = primariesIn(cluster);
      const standbys = cluster.nodes.filter((node) => !primaries.includes(node));
      return {
        readings: standbys.flatMap((node) => lagReading(node, warning, critical)),
        fine: standbys.length === 0 ? "no standbys" : standbys.map((node) => `${node.name} ${lagText(node)}`).join(", "), // prettier-ignore
        perfdata: standbys.flatMap((node) => [
          ...perf(`${node.name}_lag`, node.lagBytes, "bytes", warning, critical),
          ...perf(`${node.name}_lag_time`, node.lagMs, "ms", warning, critical),
        ]),
      };
    },
  },
  slots: {
    description: "what slots hold back of WAL, and whether its disk lasts (a size such as 4G)",
    hasThresholds: true,
    judge: (cluster, { warning, critical }) => {
      const slots = cluster.nodes.flatMap(({ name: node, slots: all }) =>
        all.flatMap(({ name, retainedBytes }) =>
          retainedBytes === null ? [] : [{ node, name, retainedBytes }],
        ),
      );
      return {
        readings: [
          ...about(cluster, ["slots"], () => true),
          ...slots.flatMap(({ node, name, retainedBytes }) =>
            above(retainedBytes, "bytes", warning, critical).map((severity) => ({
              severity,
              node,
              found: `slot ${name} holds back ${renderBytes(retainedBytes)}`,
            })),
          ),
        ],
        fine: `${slots.length} slots hold back WAL`,
        perfdata: slots.flatMap(({ node, name, retainedBytes }) =>
          perf(`${node}_${name}`, retainedBytes, "bytes", warning, critical),
        ),
      };
    },
  },
  sync: {
    description: "whether commits wait for standbys that are not there",
    judge: (cluster) => {
      const [primary] = primariesIn(cluster);
      const names = primary?.synchronous?.names ?? "";
      return {
        readings: [
          ...about(cluster, ["sync"], () => false),
          ...(primary === undefined ? [{ severity: "unknown", node: null, found: "no primary is seen" } as const] : []), // prettier-ignore
        ],
        fine: names === "" ? "asynchronous" : `'${names}', ${primary?.synchronous?.standbys ?? 0} synchronous`, // prettier-ignore
      };
    },
  },
  pool: {
    description: "whether pools run, and agree with the databases",
    judge: (cluster) => {
      const isManager = ({ name }: NodeStatus): boolean =>
        cluster.nodes.some(({ pools }) => pools.some(({ on }) => on === name));
      const managers = cluster.nodes.filter(isManager);
      return {
        readings: about(cluster, ["pool"], isManager),
        fine: managers.length === 0 ? "no pool" : `pools run on ${namesOf(managers)}`,
      };
    },
  },
  vip: {
    description: "whether each virtual address is where it belongs",
    judge: (cluster) => ({
      readings: about(cluster, ["vip"], () => false),
      fine:
        cluster.virtualAddresses.length === 0
          ? "no virtual address"
          : cluster.virtualAddresses.map(({ address, on }) => `${address} on ${on.length === 0 ? "no node, rightly" : on.join(", ")}`).join(", "), // prettier-ignore
    }),
  },
  agents: {
    description: "whether the agent of every node is connected",
    judge: (cluster) => ({
      // That one is away is known: only what it could tell is not.
      readings: about(cluster, ["agents"], () => false).map((one) => ({ ...one, severity: "warning" })), // prettier-ignore
      fine: `${cluster.nodes.length} connected`,
    }),
  },
  guard: {
    description: "what the nodes' guards have found, and whether they are in force",
    judge: (cluster) => ({
      readings: about(cluster, ["guard"], () => true),
      fine: cluster.nodes.map(({ name, guard }) => `${name} ${guard?.mode ?? "?"}`).join(", "),
    }),
  },
  alerts: {
    description: "alerts that stand",
    judge: (cluster) => ({
      readings: about(cluster, ["alerts"], () => false),
      fine: "no warning and no critical alert",
      perfdata: Object.entries(cluster.alerts).map(([severity, count]) => `${severity}=${count}`),
    }),
  },
};

/** Of one node: everything that is found of it. */
export function judgeNode({ verdict }: ClusterStatus, node: NodeStatus): Judged {
  return {
    readings: verdict.findings.filter((finding) => finding.node === node.name),
    fine: `${node.database}, ${node.role ?? "?"}, timeline ${node.timeline ?? "?"}`,
    perfdata: perf("lag", node.lagBytes, "bytes"),
  };
}

export function monitorResult(
  of: string,
  { readings, fine, perfdata = [] }: Judged,
): MonitorResult {
  const worst = (["critical", "warning", "unknown"] as const).find((severity) =>
    readings.some((reading) => reading.severity === severity),
  );
  // The worst first; what is only unknown is said as well.
  const said = readings
    .toSorted((a, b) => Number(b.severity === worst) - Number(a.severity === worst))
    .map(({ node, found }) => (node === null ? found : `${node}: ${found}`));
  return {
    status: worst === undefined ? "OK" : statuses[worst],
    text: `${of}: ${worst === undefined ? fine : said.join("; ")}`,
    perfdata,
  };
}

/** `CASTELLAN WARNING - ESHA: srv129: it is 40.0 MiB behind | srv129_lag=41943040B;16777216;;0` */
export function renderMonitorResult({ status, text, perfdata }: MonitorResult): string {
  // A bar would begin the figures, a line feed another text.
  const line = `CASTELLAN ${status} - ${text.replaceAll("|", "/").replaceAll(/\s+/g, " ")}`;
  return perfdata.length === 0 ? line : `${line} | ${perfdata.join(" ")}`;
}

const statuses = { critical: "CRITICAL", warning: "WARNING", unknown: "UNKNOWN" } as const;
const defaultLag: Threshold = { unit: "bytes", value: mostLagBytes };

/** Findings of these areas, and the nodes that nobody can ask where it takes their word. */
function about(
  { verdict, nodes }: ClusterStatus,
  areas: readonly Area[],
  takes: (node: NodeStatus) => boolean,
): readonly Reading[] {
  const needed = new Set(nodes.filter(takes).map(({ name }) => name));
  return verdict.findings.filter(
    ({ area, node, rule }) =>
      areas.includes(area) ||
      rule === "declaration-unreadable" ||
      (area === "agents" && node !== null && needed.has(node)),
  );
}

function lagReading(
  node: NodeStatus,
  warning: Threshold,
  critical: Threshold | undefined,
): readonly Reading[] {
  const { name, lagBytes, lagMs } = node;
  if (lagBytes === null) {
    return [{ severity: "unknown", node: name, found: `how far it is is not known (${node.database})` }]; // prettier-ignore
  }
  const found = `it is ${lagText(node)} behind`;
  const severities = [
    ...above(lagBytes, "bytes", warning, critical),
    ...(lagMs === null ? [] : above(lagMs, "ms", warning, critical)),
  ];
  if (severities.length === 0) return [];
  return [
    { severity: severities.includes("critical") ? "critical" : "warning", node: name, found },
  ];
}

function above(
  value: number,
  unit: Threshold["unit"],
  warning: Threshold | undefined,
  critical: Threshold | undefined,
): readonly ("critical" | "warning")[] {
  const isAbove = (limit: Threshold | undefined): boolean =>
    limit?.unit === unit && value > limit.value;
  return isAbove(critical) ? ["critical"] : isAbove(warning) ? ["warning"] : [];
}

/** Label, value and unit, limits, minimum; nothing where there is no figure. */
function perf(
  label: string,
  value: number | null,
  unit: Threshold["unit"],
  warning?: Threshold,
  critical?: Threshold,
): readonly string[] {
  if (value === null) return [];
  const limit = (threshold: Threshold | undefined): string =>
    threshold?.unit === unit ? String(threshold.value) : "";
  const quoted = /^\w+$/.test(label) ? label : `'${label}'`;
  return [`${quoted}=${Math.round(value)}${unit === "bytes" ? "B" : "ms"};${limit(warning)};${limit(critical)};0`]; // prettier-ignore
}

function lagText({ lagBytes, lagMs }: NodeStatus): string {
  if (lagBytes === null) return "?";
  return `${renderBytes(lagBytes)}${lagMs === null ? "" : ` (at most ${renderDuration(lagMs)})`}`;
}

function namesOf(nodes: readonly NodeStatus[]): string {
  return nodes.map(({ name }) => name).join(", ");
}
