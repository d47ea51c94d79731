import { asFailure } from "#shared/errors.ts";
import { version } from "#shared/version.ts";
import type { JudgedCluster } from "../fleet/finding-rule.ts";
import { countAlerts } from "../fleet/severity.ts";
import {
  nodeStatuses,
  unassignedStatus,
  virtualAddresses,
  type AgentViews,
} from "../fleet/status.ts";
import { judgeCluster, worstState } from "../fleet/verdict.ts";
import type { Runner } from "../operations/runner.ts";
import type { CoordinatorPorts } from "../ports.ts";
import { rulePrefix } from "../rules/evaluate.ts";
import type { AlertRecord } from "../store/store.ts";
import type { StatusAnswer } from "./contract.ts";

export type StatusPorts = Pick<CoordinatorPorts, "store" | "fleet" | "clusterFiles" | "clock"> & {
  readonly runner: Pick<Runner, "troubleOf">;
};

/**
 * Of one cluster, or of all and the agents that belong to none.
 * @throws Failure NOT_FOUND where there is no cluster of that name.
 */
export function statusAnswer(ports: StatusPorts, only: string | null): StatusAnswer {
  const { store, fleet, clusterFiles, clock } = ports;
  const agents = new Map(fleet.agents().map((view) => [view.node, view]));
  const alerts = store.alerts({ open: true });
  const names = clusterFiles.names();
  if (only !== null && !names.includes(only)) clusterFiles.load(only);
  const now = clock.now();
  const clusters = names
    .filter((name) => only === null || name === only)
    .map((name) => {
      const cluster = clusterStatus(ports, name, { agents, alerts, now });
      return { ...cluster, verdict: judgeCluster(cluster) };
    });
  const named = new Set(clusters.flatMap(({ nodes }) => nodes.map((node) => node.name)));
  const unassigned = [...agents.values()].filter((view) => only === null && !named.has(view.node));
  return {
    state: worstState(clusters.map(({ verdict }) => verdict.state)),
    version,
    epoch: store.epoch,
    at: now,
    clusters,
    unassigned: unassigned.map(unassignedStatus),
  };
}

function clusterStatus(
  { store, clusterFiles, runner }: StatusPorts,
  name: string,
  seen: {
    readonly agents: AgentViews;
    readonly alerts: readonly AlertRecord[];
    readonly now: number;
  },
): JudgedCluster {
  const holder = store.leaseHolder(name);
  const common = {
    name,
    operation: holder && { id: holder.id, state: holder.state, subject: holder.subject },
  };
  try {
    const { declaration } = clusterFiles.load(name);
    const nodes = nodeStatuses(declaration, seen.agents, seen.now);
    const isOurs = ({ node, cause }: AlertRecord): boolean =>
      nodes.some((one) => one.name === node) || cause.startsWith(rulePrefix(name));
    return {
      ...common,
      product: declaration.product,
      pool: declaration.pool,
      nodes,
      virtualAddresses: virtualAddresses(declaration, seen.agents),
      problem: holder && runner.troubleOf(holder.id),
      alerts: countAlerts(seen.alerts.filter(isOurs)),
    };
  } catch (error) {
    return {
      ...common,
      product: "?",
      pool: "?",
      nodes: [],
      virtualAddresses: [],
      problem: asFailure(error).message,
      alerts: countAlerts([]),
    };
  }
}
