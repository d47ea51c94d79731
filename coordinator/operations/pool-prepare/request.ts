import type * as z from "zod";
import { Failure } from "#shared/errors.ts";
import type { AddNodeAnswer, PoolPrepareRequest } from "../../api/contract.ts";
import type { AgentView, CoordinatorPorts, LoadedCluster } from "../../ports.ts";
import { nextBackendId, registrationOf } from "../add-node/registration.ts";
import { resolveNode } from "../add-node/resolve-node.ts";
import type { KnownNode } from "../add-node/situation.ts";
import { refuseConflict } from "../conflict.ts";
import type { Plan } from "../plan.ts";
import type { StartOperation } from "../start-operation.ts";
import { agreedPlan } from "../shown-plans.ts";
import { planPoolPrepare } from "./plan.ts";
import { checkPoolPrepare } from "./checks.ts";

type Request = z.infer<typeof PoolPrepareRequest>;

/**
 * Gives every pool the row of a node that is to come, so that the node is later only attached.
 * @throws Failure OPERATION_CONFLICT, NOT_FOUND, PREFLIGHT_FAILED, PLAN_CHANGED.
 */
export async function poolPrepare(
  ports: CoordinatorPorts,
  start: StartOperation,
  cluster: string,
  request: Request,
): Promise<AddNodeAnswer> {
  if (!request.dryRun) refuseConflict(ports.store, cluster);
  const plan = await preparePlan(ports, ports.clusterFiles.load(cluster), request);
  if (request.dryRun) return { plan, operation: null };
  const { node: subject, requestedBy } = request;
  const operation = start({
    kind: "pool-prepare",
    cluster,
    subject,
    requestedBy,
    plan,
    // Rows alone hurt nobody, and a half-prepared pair of pools is no use.
    onFailure: "rollback",
  });
  return { plan, operation };
}

async function preparePlan(
  { fleet, shownPlans }: CoordinatorPorts,
  cluster: LoadedCluster,
  request: Request,
): Promise<Plan> {
  const { declaration } = cluster;
  if (declaration.pool === "none") {
    throw new Failure("USAGE", `${declaration.name} has no pool to prepare.`);
  }
  const nodes = declaration.nodes.map(({ name }) => name);
  const connected = [...nodes, request.node].filter(
    (node) => fleet.agent(node)?.connected === true,
  );
  await Promise.allSettled(connected.map((node) => fleet.observe([node])));
  const agentOf = (node: string): AgentView | null => fleet.agent(node);
  const existing = declaration.nodes
    .filter((node) => node.name !== request.node)
    .map((declared): KnownNode => {
      const agent = agentOf(declared.name);
      return { declared, agent, facts: agent?.facts ?? null };
    });
  const like = existing.findLast((node) => node.facts?.database.role !== "primary") ?? existing[0];
  if (like === undefined) {
    throw new Failure("NOT_FOUND", `${declaration.name} has no other node than ${request.node}.`);
  }
  const draft = resolveNode({
    request: { ...request, nic: null },
    like: like.declared,
    newcomer: agentOf(request.node)?.facts ?? null,
    backendId: null,
  });
  const managers = existing.filter((node) => node.declared.pool !== null);
  const id = nextBackendId(existing, draft);
  const node = { ...draft, backendId: id };
  const registration = registrationOf(managers, like, node, id);
  if (registration.way === "none") {
    throw new Failure("INTERNAL", "a row was asked for although there is no pool");
  }
  const checks = checkPoolPrepare({ cluster, existing, managers, node });
  const made = planPoolPrepare({ cluster, managers, checks, registration });
  const source = { declarationFile: cluster.file, declarationYaml: cluster.yaml, nodes: managers };
  return agreedPlan(shownPlans, declaration.name, made, source, request);
}
