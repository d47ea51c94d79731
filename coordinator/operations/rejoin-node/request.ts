import type { AddNodeAnswer } from "../../api/contract.ts";
import type { RebuildRequest } from "../../api/rejoin-contract.ts";
import type { CoordinatorPorts } from "../../ports.ts";
import type { AddNodeLimits } from "../add-node/situation.ts";
import { refuseConflict } from "../conflict.ts";
import { lookAtNodes } from "../known-nodes.ts";
import { agreedPlan } from "../shown-plans.ts";
import type { StartOperation } from "../start-operation.ts";
import { checkRejoin } from "./checks.ts";
import { planRejoin } from "./plan.ts";

/**
 * A former primary, or a standby that went another way, follows the primary again.
 * @throws Failure NOT_FOUND, PREFLIGHT_FAILED, OPERATION_CONFLICT, PLAN_CHANGED
 */
export async function rejoinNode(
  ports: CoordinatorPorts & { readonly addNodeLimits: AddNodeLimits },
  start: StartOperation,
  name: string,
  request: RebuildRequest,
): Promise<AddNodeAnswer> {
  const cluster = ports.clusterFiles.load(name);
  if (!request.dryRun) refuseConflict(ports.store, name);
  const nodes = await lookAtNodes(ports.fleet, cluster.declaration);
  const situation = {
    asked: request.node,
    subject: nodes.find(({ declared }) => declared.name === request.node) ?? null,
    nodes,
    primaries: nodes.filter(({ facts }) => facts?.database.role === "primary"),
    declaration: cluster.declaration,
  };
  const made = planRejoin(situation, cluster, checkRejoin(situation), ports.addNodeLimits);
  const source = { declarationFile: cluster.file, declarationYaml: cluster.yaml, nodes };
  const plan = agreedPlan(ports.shownPlans, name, made, source, request);
  if (request.dryRun) return { plan, operation: null };
  const { node: subject, requestedBy } = request;
  const operation = start({ kind: "rejoin-node", cluster: name, subject, requestedBy, plan, onFailure: "pause" }); // prettier-ignore
  return { plan, operation };
}
