import { asFailure, Failure } from "#shared/errors.ts";
import type { AddNodeAnswer } from "../../api/contract.ts";
import type { FailoverRequest } from "../../api/failover-contract.ts";
import type { CoordinatorPorts, Fleet } from "../../ports.ts";
import { roleChanger } from "../changes-roles.ts";
import type { AddNodeLimits, KnownNode } from "../add-node/situation.ts";
import { operationConflict } from "../conflict.ts";
import { lookAtNodes } from "../known-nodes.ts";
import { agreedPlan } from "../shown-plans.ts";
import type { StartOperation } from "../start-operation.ts";
import { checkForcedFailover } from "./checks.ts";
import { planForcedFailover } from "./plan.ts";
import { isStoppedPrimary, type ForcedFailoverSituation } from "./situation.ts";

/**
 * A person's word in place of the proof that the former primary takes no write.
 * @throws Failure NOT_FOUND, PREFLIGHT_FAILED, OPERATION_CONFLICT, PLAN_CHANGED
 */
export async function forceFailover(
  ports: CoordinatorPorts & { readonly addNodeLimits: AddNodeLimits },
  start: StartOperation,
  name: string,
  request: FailoverRequest,
): Promise<AddNodeAnswer> {
  const { fleet, store } = ports;
  const cluster = ports.clusterFiles.load(name);
  const refuseOther = (): void => {
    const holder = roleChanger(store, name);
    if (holder !== null) throw operationConflict(name, holder);
  };
  if (!request.dryRun) refuseOther();
  const nodes = await lookAtNodes(fleet, cluster.declaration);
  const situation: ForcedFailoverSituation = {
    declaration: cluster.declaration,
    nodes,
    to: request.to,
    successor: nodes.find((node) => node.declared.name === request.to) ?? null,
    answering: await answeringWithoutAgent(nodes, cluster.declaration.database, fleet),
    stallMs: ports.addNodeLimits.stallMs,
  };
  const made = planForcedFailover(situation, cluster, checkForcedFailover(situation));
  const source = { declarationFile: cluster.file, declarationYaml: cluster.yaml, nodes };
  const plan = agreedPlan(ports.shownPlans, name, made, source, request);
  if (request.dryRun) return { plan, operation: null };
  await fenceStopped(situation, fleet);
  refuseOther();
  const { to: subject, requestedBy } = request;
  const operation = start({ kind: "failover", cluster: name, subject, requestedBy, plan, onFailure: "pause" }); // prettier-ignore
  store.resolveAlert(`failover:${name}`, ports.clock.now());
  return { plan, operation };
}

/** One that refuses the login, or is starting, answers as well. */
async function answeringWithoutAgent(
  nodes: readonly KnownNode[],
  { name: database, maintenanceUser: user }: { readonly name: string; readonly maintenanceUser: string }, // prettier-ignore
  fleet: Pick<Fleet, "ask">,
): Promise<readonly string[]> {
  const silent = nodes.filter(({ facts }) => facts === null);
  if (silent.length === 0) return [];
  const logins = silent.map(({ declared }) => ({ host: declared.address, port: declared.port, user, database, replication: false, secret: "database" as const })); // prettier-ignore
  const askers = nodes.filter(({ facts }) => facts !== null);
  const asked = askers.map(({ declared }) => fleet.ask(declared.name, "probe-logins", { logins }, { timeoutMs: probeMs })); // prettier-ignore
  const answers = (await Promise.allSettled(asked)).flatMap((one) => one.status === "fulfilled" ? one.value.results : []); // prettier-ignore
  const found = answers.filter(({ ok, sqlState }) => ok || sqlState !== null);
  return silent
    .filter(({ declared }) =>
      found.some(({ login }) => login.host === declared.address && login.port === declared.port),
    ) // prettier-ignore
    .map(({ declared }) => declared.name);
}

/** @throws Failure REFUSED by an agent that sees its server at work */
async function fenceStopped(
  { nodes, to }: ForcedFailoverSituation,
  fleet: Pick<Fleet, "ask">,
): Promise<void> {
  for (const { declared, facts } of nodes) {
    if (declared.name === to || !isStoppedPrimary(facts?.database)) continue;
    await fleet.ask(declared.name, "fence", {}, { timeoutMs: probeMs }).catch((error: unknown) => {
      const { message } = asFailure(error);
      throw new Failure("REFUSED", `${declared.name} is not proved to be stopped: ${message}. Nobody was promoted.`, { cause: error, hint: "castellan status" }); // prettier-ignore
    });
  }
}

const probeMs = 10_000;
