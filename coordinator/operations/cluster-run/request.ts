import type { AddNodeAnswer } from "../../api/contract.ts";
import type { ClusterRunRequest } from "../../api/cluster-run-contract.ts";
import type { CoordinatorPorts, LoadedCluster } from "../../ports.ts";
import { asFailure } from "#shared/errors.ts";
import type { OperationKind } from "#shared/domain/operation.ts";
import type { OperationRecord } from "../../store/store.ts";
import type { AddNodeLimits, Asked } from "../add-node/situation.ts";
import { refuseConflict } from "../conflict.ts";
import type { CheckResult, Plan } from "../plan.ts";
import { lookAtNodes } from "../known-nodes.ts";
import { agreedPlan } from "../shown-plans.ts";
import type { StartOperation } from "../start-operation.ts";
import { checkRestart, checkStart, checkStop } from "./checks.ts";
import { planRestart, planStart, planStop } from "./plans.ts";
import { checkRolling, planRolling } from "./rolling.ts";
import type { ClusterSituation, ControlFile } from "./situation.ts";

export type ClusterRun = "stop" | "start" | "restart" | "rolling";

const runs: Readonly<Record<ClusterRun, {
  readonly kind: OperationKind;
  readonly check: (situation: ClusterSituation) => readonly CheckResult[];
  readonly plan: (situation: ClusterSituation, cluster: LoadedCluster, checks: readonly CheckResult[]) => Plan;
}>> = {
  stop: { kind: "cluster-stop", check: checkStop, plan: planStop },
  start: { kind: "cluster-start", check: checkStart, plan: planStart },
  restart: { kind: "cluster-restart", check: checkRestart, plan: planRestart },
  rolling: { kind: "cluster-restart", check: checkRolling, plan: planRolling },
}; // prettier-ignore

/**
 * Stops, starts or restarts the whole of a cluster.
 * @throws Failure NOT_FOUND, PREFLIGHT_FAILED, OPERATION_CONFLICT, PLAN_CHANGED
 */
export async function runCluster(
  ports: CoordinatorPorts & { readonly addNodeLimits: AddNodeLimits },
  start: StartOperation,
  run: ClusterRun,
  name: string,
  request: ClusterRunRequest,
): Promise<AddNodeAnswer> {
  const cluster = ports.clusterFiles.load(name);
  if (!request.dryRun) refuseConflict(ports.store, name);
  const situation = await gather(ports, cluster);
  const { check, kind, plan: planIt } = runs[run];
  const made = planIt(situation, cluster, check(situation));
  const { nodes } = situation;
  const source = { declarationFile: cluster.file, declarationYaml: cluster.yaml, nodes };
  const plan = agreedPlan(ports.shownPlans, name, made, source, request);
  if (request.dryRun) return { plan, operation: null };
  const { requestedBy } = request;
  // What a failure leaves is said, and a person decides: taking it back would be another outage.
  const operation = start({ kind, cluster: name, subject: name, requestedBy, plan, onFailure: "pause" }); // prettier-ignore
  return { plan, operation };
}

async function gather(
  { addNodeLimits, fleet, store }: Parameters<typeof runCluster>[0],
  { declaration }: LoadedCluster,
): Promise<ClusterSituation> {
  const nodes = await lookAtNodes(fleet, declaration);
  const stopped = nodes.filter(({ facts }) => facts?.database.status === "stopped");
  const controls = await Promise.all(
    stopped.map(async ({ declared }) => [declared.name, await controlFile(declared.name, fleet)] as const), // prettier-ignore
  );
  const { stallMs, lagLimitBytes, holdMs } = addNodeLimits;
  return {
    declaration,
    nodes,
    primaries: nodes.filter(({ facts }) => facts?.database.role === "primary"),
    controls: new Map(controls),
    stoppedAs: stoppedAs(store.operations({ cluster: declaration.name })),
    stallMs,
    lagLimitBytes,
    holdMs,
  };
}

async function controlFile(
  node: string,
  fleet: CoordinatorPorts["fleet"],
): Promise<Asked<ControlFile>> {
  return fleet.ask(node, "read-control", {}).then(
    (answer) => ({ answer, problem: null }),
    (error: unknown) => ({ answer: null, problem: asFailure(error).message }),
  );
}

/** Of the newest operation that went through, where that was a stop of the whole cluster. */
export function stoppedAs(operations: readonly OperationRecord[]): ClusterSituation["stoppedAs"] {
  const [newest] = operations
    .filter(({ startedAt }) => startedAt !== null)
    .toSorted((a, b) => b.requestedAt - a.requestedAt);
  const { kind, plan, state } = newest ?? {};
  const timeline = plan?.premise?.timeline ?? null;
  if (kind !== "cluster-stop" || state !== "succeeded" || timeline === null) return null;
  return { primary: plan?.premise?.primary ?? "", timeline };
}
