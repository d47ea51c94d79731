import { Failure } from "#shared/errors.ts";
import { productOf } from "#shared/products/product.ts";
import type { AddNodeAnswer } from "../../api/contract.ts";
import type { RegimeRequest } from "../../api/guard-contract.ts";
import type { CoordinatorPorts } from "../../ports.ts";
import type { KnownNode } from "../add-node/situation.ts";
import { refuseConflict } from "../conflict.ts";
import { agreedPlan } from "../shown-plans.ts";
import type { StartOperation } from "../start-operation.ts";
import { checkRegime, type Regime } from "./checks.ts";
import { inMaintenance, isSo, planRegime } from "./plan.ts";
import { takenFrom } from "./taken-lines.ts";

/**
 * Puts the guards of a cluster in charge, or the vendor's checks again: on all nodes or on none.
 * @throws Failure NOT_FOUND, PREFLIGHT_FAILED, OPERATION_CONFLICT, PLAN_CHANGED, ALREADY_EXISTS
 */
export async function changeRegime(
  ports: CoordinatorPorts,
  start: StartOperation,
  regime: Regime,
  name: string,
  request: RegimeRequest,
): Promise<AddNodeAnswer> {
  const cluster = ports.clusterFiles.load(name);
  if (!request.dryRun) refuseConflict(ports.store, name);
  const { nodes: declared, product } = cluster.declaration;
  const connected = declared.filter((node) => ports.fleet.agent(node.name)?.connected === true);
  await Promise.allSettled(connected.map((node) => ports.fleet.observe([node.name])));
  const nodes = declared.map((node): KnownNode => {
    const agent = ports.fleet.agent(node.name);
    // What one that is away said last may be of another day.
    return { declared: node, agent, facts: agent?.connected === true ? agent.facts : null };
  });
  const cronFile = productOf(product).vendor?.cronFile ?? null;
  const checks = checkRegime(regime, nodes, cronFile);
  if (isSo({ regime, nodes, cronFile })) {
    throw new Failure("ALREADY_EXISTS", `${name} is taken over already: every guard is in charge.`, {
      evidence: inMaintenance(nodes).map((node) => `${node} is in maintenance, and in charge after it`),
      hint: `castellan guard status ${name}`,
    }); // prettier-ignore
  }
  const made = planRegime({
    regime,
    cluster,
    nodes,
    checks,
    cronFile,
    takenFrom: takenFrom(
      declared.map((node) => node.name),
      ports.store.operations({ cluster: name }),
    ),
    by: request.requestedBy,
  });
  const source = { declarationFile: cluster.file, declarationYaml: cluster.yaml, nodes };
  const plan = agreedPlan(ports.shownPlans, name, made, source, request);
  if (request.dryRun) return { plan, operation: null };
  const operation = start({
    kind: `guard-${regime}`,
    cluster: name,
    subject: name,
    requestedBy: request.requestedBy,
    plan,
    // Half of a cluster in charge of itself and half in the vendor's hands would be worse than either.
    onFailure: "rollback",
  });
  return { plan, operation };
}
