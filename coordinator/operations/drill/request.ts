import type { AddNodeAnswer } from "../../api/contract.ts";
import type { DrillRequest } from "../../api/drill-contract.ts";
import type { CoordinatorPorts } from "../../ports.ts";
import type { AddNodeLimits } from "../add-node/situation.ts";
import { refuseConflict } from "../conflict.ts";
import { lookAtNodes } from "../known-nodes.ts";
import { agreedPlan } from "../shown-plans.ts";
import type { StartOperation } from "../start-operation.ts";
import { checkDrill } from "./checks.ts";
import { planDrill } from "./plan.ts";

/**
 * A fault on purpose, and what the pool's clients feel of it.
 * @throws Failure NOT_FOUND, PREFLIGHT_FAILED, OPERATION_CONFLICT, PLAN_CHANGED
 */
export async function runDrill(
  ports: CoordinatorPorts & { readonly addNodeLimits: AddNodeLimits },
  start: StartOperation,
  name: string,
  request: DrillRequest,
): Promise<AddNodeAnswer> {
  const cluster = ports.clusterFiles.load(name);
  if (!request.dryRun) refuseConflict(ports.store, name);
  const nodes = await lookAtNodes(ports.fleet, cluster.declaration);
  const { node: subject, scenario, kind, acceptLoss, restore, requestedBy } = request;
  const situation = {
    asked: subject,
    subject: nodes.find(({ declared }) => declared.name === subject) ?? null,
    nodes,
    primaries: nodes.filter(({ facts }) => facts?.database.role === "primary"),
    declaration: cluster.declaration,
    scenario,
    kind,
    acceptLoss,
  };
  const checks = checkDrill(situation);
  const made = planDrill(situation, restore, cluster, checks, ports.addNodeLimits);
  const source = { declarationFile: cluster.file, declarationYaml: cluster.yaml, nodes };
  const plan = agreedPlan(ports.shownPlans, name, made, source, request);
  if (request.dryRun) return { plan, operation: null };
  const operation = start({
    kind: "drill",
    cluster: name,
    subject,
    requestedBy,
    plan,
    // Whatever goes wrong, the nodes are to run again.
    onFailure: "rollback",
  });
  return { plan, operation };
}
