import { asFailure } from "#shared/errors.ts";
import { confirmPrimary } from "../guard/confirm-primary.ts";
import { setMaintenance } from "../guard/maintenance.ts";
import { changeRegime } from "../operations/guard-regime/request.ts";
import type { StartOperation } from "../operations/start-operation.ts";
import type { AgentView, CoordinatorPorts } from "../ports.ts";
import type { AlertPorts } from "./alert-routes.ts";
import {
  ConfirmPrimaryRequest,
  MaintenanceRequest,
  RegimeRequest,
  type GuardAnswer,
  type NodeGuard,
} from "./guard-contract.ts";
import { get, post, type Route } from "./routes.ts";

/** The guards of the nodes, in the order of guard-contract.ts. */
export function guardRoutes(
  ports: AlertPorts & CoordinatorPorts & { readonly runner: { readonly start: StartOperation } },
): readonly Route[] {
  const { clusterFiles, runner } = ports;
  return [
    get("/api/guard", ({ query }) => {
      const name = query.get("cluster");
      if (name === null) return guards(ports, clusterFiles.names());
      clusterFiles.load(name); // one that was asked for by name has to be readable
      return guards(ports, [name]);
    }),
    post("/api/guard/maintenance", MaintenanceRequest, ({ body }) => setMaintenance(ports, body)),
    post("/api/guard/confirm-primary", ConfirmPrimaryRequest, ({ body }) =>
      confirmPrimary(ports, body),
    ),
    ...(["takeover", "handback"] as const).map((regime) =>
      post(`/api/clusters/:name/guard/${regime}`, RegimeRequest, ({ body, parameters }) =>
        changeRegime(ports, runner.start, regime, parameters["name"] ?? "", body),
      ),
    ),
  ];
}

function guards({ clusterFiles, clock, fleet }: AlertPorts, names: readonly string[]): GuardAnswer {
  const clusters = names.map((name): GuardAnswer["clusters"][number] => {
    try {
      const { nodes } = clusterFiles.load(name).declaration;
      return {
        name,
        problem: null,
        nodes: nodes.map((node) => nodeGuard(node.name, fleet.agent(node.name))),
      };
    } catch (error) {
      return { name, problem: asFailure(error).message, nodes: [] };
    }
  });
  return { at: clock.now(), clusters };
}

function nodeGuard(node: string, view: AgentView | null): NodeGuard {
  if (view === null) return { node, agent: "not-joined", lastSeenAt: null, guard: null };
  const { connected, lastSeenAt, facts } = view;
  return {
    node,
    agent: connected ? "connected" : "away",
    lastSeenAt,
    guard: connected ? (facts?.guard ?? null) : null,
  };
}
