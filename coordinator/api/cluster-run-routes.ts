import { programsOf } from "../fleet/programs.ts";
import { runCluster } from "../operations/cluster-run/request.ts";
import type { AddNodeLimits } from "../operations/add-node/situation.ts";
import type { StartOperation } from "../operations/start-operation.ts";
import type { CoordinatorPorts } from "../ports.ts";
import { ClusterRunRequest } from "./cluster-run-contract.ts";
import { get, post, type Route } from "./routes.ts";

/** Stop, start and restart of a whole cluster, in the order of cluster-run-contract.ts. */
export function clusterRunRoutes(
  ports: CoordinatorPorts & {
    readonly addNodeLimits: AddNodeLimits;
    readonly runner: { readonly start: StartOperation };
  },
): readonly Route[] {
  const { clusterFiles, fleet, runner } = ports;
  return [
    ...(["stop", "start", "restart", "rolling"] as const).map((run) =>
      post(`/api/clusters/:name/${run}`, ClusterRunRequest, ({ parameters, body }) =>
        runCluster(ports, runner.start, run, parameters["name"] ?? "", body),
      ),
    ),
    get("/api/clusters/:name/programs", async ({ parameters }) => {
      const { declaration } = clusterFiles.load(parameters["name"] ?? "");
      const connected = declaration.nodes.filter(({ name }) => fleet.agent(name)?.connected);
      await Promise.allSettled(connected.map(({ name }) => fleet.observe([name])));
      return programsOf(declaration, (node) => fleet.agent(node));
    }),
  ];
}
