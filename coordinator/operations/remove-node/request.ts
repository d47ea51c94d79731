import type { AddNodeAnswer } from "../../api/contract.ts";
import type { RemoveRequest } from "../../api/remove-contract.ts";
import type { CoordinatorPorts } from "../../ports.ts";
import type { AddNodeLimits } from "../add-node/situation.ts";
import { refuseConflict } from "../conflict.ts";
import { lookAtNodes } from "../known-nodes.ts";
import { agreedPlan } from "../shown-plans.ts";
import type { StartOperation } from "../start-operation.ts";
import { checkRemove } from "./checks.ts";
import { planRemove } from "./plan.ts";
import { removeSituation } from "./situation.ts";

/**
 * A standby leaves its cluster.
 * @throws Failure NOT_FOUND, PREFLIGHT_FAILED, OPERATION_CONFLICT, PLAN_CHANGED
 */
export async function removeNode(
  ports: CoordinatorPorts & { readonly addNodeLimits: AddNodeLimits },
  start: StartOperation,
  name: string,
  request: RemoveRequest,
): Promise<AddNodeAnswer> {
  const cluster = ports.clusterFiles.load(name);
  if (!request.dryRun) refuseConflict(ports.store, name);
  const nodes = await lookAtNodes(ports.fleet, cluster.declaration);
  const situation = removeSituation(request, cluster, nodes, ports.addNodeLimits);
  const made = planRemove(situation, checkRemove(situation));
  const source = { declarationFile: cluster.file, declarationYaml: cluster.yaml, nodes };
  const plan = agreedPlan(ports.shownPlans, name, made, source, request);
  if (request.dryRun) return { plan, operation: null };
  const { node: subject, requestedBy } = request;
  const operation = start({ kind: "remove-node", cluster: name, subject, requestedBy, plan, onFailure: "pause" }); // prettier-ignore
  return { plan, operation };
}
