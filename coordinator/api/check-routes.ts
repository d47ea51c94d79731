import { Failure } from "#shared/errors.ts";
import type { CoordinatorPorts } from "../ports.ts";
import type { ChecksAnswer } from "./contract.ts";
import { get, type Route } from "./routes.ts";

type CheckPorts = Pick<CoordinatorPorts, "fleet" | "clusterFiles">;

/** The agents' periodic checks: of all of them, of a cluster's, or of one. */
export function checkRoutes(ports: CheckPorts): readonly Route[] {
  const answer = (nodes: readonly string[]): ChecksAnswer => ({
    nodes: nodes.map((node) => {
      const view = ports.fleet.agent(node);
      const agent = view === null ? "not-joined" : view.connected ? "connected" : "away";
      return { node, agent, checks: view?.facts?.guard.checks ?? [] };
    }),
  });
  return [
    get("/api/checks", () => answer(ports.fleet.agents().map(({ node }) => node))),
    get("/api/checks/:name", ({ parameters }) => answer(nodesOf(parameters["name"] ?? "", ports))),
  ];
}

function nodesOf(name: string, { fleet, clusterFiles }: CheckPorts): readonly string[] {
  if (clusterFiles.names().includes(name)) {
    return clusterFiles.load(name).declaration.nodes.map((node) => node.name);
  }
  if (fleet.agent(name) !== null) return [name];
  throw new Failure("NOT_FOUND", `There is no cluster and no node ${name}.`, {
    hint: "castellan status",
  });
}
