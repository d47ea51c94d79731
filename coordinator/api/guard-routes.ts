import type { ProductId } from "#shared/domain/cluster.ts";
import type { Decision } from "#shared/domain/guard.ts";
import { asFailure } from "#shared/errors.ts";
import { productOf } from "#shared/products/product.ts";
import { confirmPrimary } from "../guard/confirm-primary.ts";
import { vendorLines } from "../fleet/vendor-lines.ts";
import { setMaintenance } from "../guard/maintenance.ts";
import { changeRegime } from "../operations/guard-regime/request.ts";
import type { StartOperation } from "../operations/start-operation.ts";
import type { CoordinatorPorts } from "../ports.ts";
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

function guards(ports: AlertPorts, names: readonly string[]): GuardAnswer {
  const { clusterFiles, clock } = ports;
  const clusters = names.map((name): GuardAnswer["clusters"][number] => {
    try {
      const { nodes, product } = clusterFiles.load(name).declaration;
      return {
        name,
        problem: null,
        nodes: nodes.map((node) => nodeGuard(ports, node.name, product)),
      };
    } catch (error) {
      return { name, problem: asFailure(error).message, nodes: [] };
    }
  });
  return { at: clock.now(), clusters };
}

function nodeGuard({ fleet, store }: AlertPorts, node: string, product: ProductId): NodeGuard {
  const view = fleet.agent(node);
  const [last] = store.decisions(node, 1);
  const facts = view?.facts ?? null;
  return {
    node,
    agent: view === null ? "not-joined" : view.connected ? "connected" : "away",
    lastSeenAt: view?.lastSeenAt ?? null,
    guard: view?.connected === true ? (facts?.guard ?? null) : null,
    vendorLines: facts === null ? [] : vendorLines(facts.files, productOf(product).vendor),
    lastDecision: last === undefined ? null : summaryOf(last.decision),
  };
}

function summaryOf({ at, rule, because, outcome }: Decision): NodeGuard["lastDecision"] {
  return { at, rule, because, outcome };
}
