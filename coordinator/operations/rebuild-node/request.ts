import { Failure } from "#shared/errors.ts";
import type { AddNodeAnswer } from "../../api/contract.ts";
import type { RebuildRequest } from "../../api/rejoin-contract.ts";
import type { CoordinatorPorts } from "../../ports.ts";
import { forecastCopy } from "../add-node/forecast.ts";
import { refuseForecast } from "../add-node/request.ts";
import { noProbes, type AddNodeLimits } from "../add-node/situation.ts";
import { refuseConflict } from "../conflict.ts";
import { lookAtNodes } from "../known-nodes.ts";
import { agreedPlan } from "../shown-plans.ts";
import type { StartOperation } from "../start-operation.ts";
import { checkRebuild } from "./checks.ts";
import { gatherForCopy } from "./gather.ts";
import { planRebuild } from "./plan.ts";
import { rebuildSituation, withProbes } from "./situation.ts";

/**
 * A node is copied anew from the primary, in place.
 * @throws Failure NOT_FOUND, PREFLIGHT_FAILED, FORECAST_REFUSED, OPERATION_CONFLICT, PLAN_CHANGED
 */
export async function rebuildNode(
  ports: CoordinatorPorts & { readonly addNodeLimits: AddNodeLimits },
  start: StartOperation,
  name: string,
  request: RebuildRequest,
): Promise<AddNodeAnswer> {
  const cluster = ports.clusterFiles.load(name);
  if (!request.dryRun) refuseConflict(ports.store, name);
  const nodes = await lookAtNodes(ports.fleet, cluster.declaration);
  const accepted = ports.store.baselines(request.node);
  const unasked = rebuildSituation(request, cluster, nodes, ports.addNodeLimits, accepted);
  const probes = unasked.copy === null ? noProbes : await gatherForCopy(ports.fleet, unasked.copy);
  const situation = withProbes(unasked, probes);
  const checks = checkRebuild(situation);
  const forecast = situation.copy === null ? null : forecastCopy(situation.copy);
  if (forecast === null) throw new Failure("INTERNAL", "preflight has let this pass");
  refuseForecast(forecast);
  const made = planRebuild(situation, checks, forecast);
  const source = { declarationFile: cluster.file, declarationYaml: cluster.yaml, nodes };
  const plan = agreedPlan(ports.shownPlans, name, made, source, request);
  if (request.dryRun) return { plan, operation: null };
  const { node: subject, requestedBy } = request;
  const operation = start({ kind: "rebuild-node", cluster: name, subject, requestedBy, plan, onFailure: "pause" }); // prettier-ignore
  return { plan, operation };
}
