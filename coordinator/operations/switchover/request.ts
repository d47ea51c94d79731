import type { AddNodeAnswer } from "../../api/contract.ts";
import type { SwitchoverRequest } from "../../api/switchover-contract.ts";
import type { CoordinatorPorts } from "../../ports.ts";
import type { AddNodeLimits } from "../add-node/situation.ts";
import { refuseConflict } from "../conflict.ts";
import { lookAtNodes } from "../known-nodes.ts";
import { agreedPlan } from "../shown-plans.ts";
import type { StartOperation } from "../start-operation.ts";
import { checkSwitchover } from "./checks.ts";
import { planSwitchover } from "./plan.ts";
import type { SwitchoverSituation } from "./situation.ts";

/**
 * Another node becomes the primary, planned, without the loss of a row.
 * @throws Failure NOT_FOUND, PREFLIGHT_FAILED, OPERATION_CONFLICT, PLAN_CHANGED
 */
export async function switchOver(
  ports: CoordinatorPorts & { readonly addNodeLimits: AddNodeLimits },
  start: StartOperation,
  name: string,
  request: SwitchoverRequest,
): Promise<AddNodeAnswer> {
  const cluster = ports.clusterFiles.load(name);
  if (!request.dryRun) refuseConflict(ports.store, name);
  const nodes = await lookAtNodes(ports.fleet, cluster.declaration);
  const { stallMs, lagLimitBytes, holdMs } = ports.addNodeLimits;
  const situation: SwitchoverSituation = {
    declaration: cluster.declaration,
    nodes,
    primaries: nodes.filter(({ facts }) => facts?.database.role === "primary"),
    to: request.to,
    successor: nodes.find((node) => node.declared.name === request.to) ?? null,
    lagLimitBytes: request.lagLimitBytes ?? lagLimitBytes,
    stallMs,
    holdMs,
  };
  const made = planSwitchover(situation, cluster, checkSwitchover(situation));
  const source = { declarationFile: cluster.file, declarationYaml: cluster.yaml, nodes };
  const plan = agreedPlan(ports.shownPlans, name, made, source, request);
  if (request.dryRun) return { plan, operation: null };
  const operation = start({
    kind: "switchover",
    cluster: name,
    subject: request.to,
    requestedBy: request.requestedBy,
    plan,
    // Clients wait: what can't be done is taken back at once, as long as it can be.
    onFailure: "rollback",
  });
  return { plan, operation };
}
