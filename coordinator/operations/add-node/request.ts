import { Failure } from "#shared/errors.ts";
import { version } from "#shared/version.ts";
import type { AddNodeAnswer, AddNodeRequest, PreflightAnswer } from "../../api/contract.ts";
import type { CoordinatorPorts, LoadedCluster } from "../../ports.ts";
import { refuseConflict } from "../conflict.ts";
import type { CheckResult } from "../plan.ts";
import { agreedPlan } from "../shown-plans.ts";
import type { StartOperation } from "../start-operation.ts";
import { type CopyForecast, forecastCopy } from "./forecast.ts";
import { gather } from "./gather.ts";
import { planAddNode } from "./plan.ts";
import { runPreflight } from "./preflight/preflight.ts";
import { resolveSituation, withProbes } from "./resolve-situation.ts";
import { type AddNodeLimits, defaultAddNodeLimits, type Situation } from "./situation.ts";

/**
 * Looks, checks, forecasts, plans and, unless it is a dry run, starts.
 * @throws Failure OPERATION_CONFLICT, NOT_FOUND, CONFIG_INVALID, PREFLIGHT_FAILED (the failed checks in its evidence),
 * FORECAST_REFUSED, PLAN_CHANGED.
 */
export async function addNode(
  ports: CoordinatorPorts,
  start: StartOperation,
  cluster: string,
  request: AddNodeRequest,
  limits: AddNodeLimits = defaultAddNodeLimits,
): Promise<AddNodeAnswer> {
  // Said before anybody waits for a preflight; the store decides again when the operation is created.
  if (!request.dryRun) refuseConflict(ports.store, cluster);
  const situation = await look(ports, cluster, request, limits);
  const checks = runPreflight(situation);
  refuseFailedChecks(checks);
  const forecast = forecastCopy(situation);
  if (forecast === null) {
    throw new Failure("INTERNAL", "preflight passed, but nothing is known to forecast from");
  }
  refuseForecast(forecast);
  const nodes = [...situation.existing, situation.newcomer];
  const made = planAddNode({ situation, checks, forecast });
  const plan = agreedPlan(ports.shownPlans, cluster, made, { ...situation, nodes }, request);
  if (request.dryRun) return { plan, operation: null };
  const { node: subject, requestedBy, onFailure } = request;
  const operation = start({ kind: "add-node", cluster, subject, requestedBy, plan, onFailure });
  return { plan, operation };
}

/** The same questions and answers; nothing is refused and nothing is started. */
export async function preflightAddNode(
  ports: CoordinatorPorts,
  cluster: string,
  request: AddNodeRequest,
  limits: AddNodeLimits = defaultAddNodeLimits,
): Promise<PreflightAnswer> {
  const situation = await look(ports, cluster, request, limits);
  const forecast = forecastCopy(situation);
  if (forecast === null) return { checks: runPreflight(situation), forecast: null };
  const { secondsToWait: _, ...figures } = forecast;
  return { checks: runPreflight(situation), forecast: figures };
}

/** Every host looks again, then answers what only it can know. */
async function look(
  ports: CoordinatorPorts,
  name: string,
  request: AddNodeRequest,
  limits: AddNodeLimits,
): Promise<Situation> {
  const { fleet } = ports;
  const cluster = ports.clusterFiles.load(name);
  const nodes = [...new Set([...cluster.declaration.nodes.map((node) => node.name), request.node])];
  const connected = nodes.filter((node) => fleet.agent(node)?.connected === true);
  // One that goes away meanwhile is found by the check on agents, with everything else there is to say.
  await Promise.allSettled(connected.map((node) => fleet.observe([node])));
  const situation = resolveSituation({
    request,
    cluster,
    otherClusters: othersOf(ports, name),
    agentOf: (node) => fleet.agent(node),
    coordinatorVersion: version,
    limits,
  });
  return withProbes(situation, await gather(fleet, situation));
}

/** A broken file of another cluster is no reason to do nothing here. */
function othersOf({ clusterFiles, log }: CoordinatorPorts, name: string) {
  return clusterFiles
    .names()
    .filter((other) => other !== name)
    .flatMap((other) => {
      let loaded: LoadedCluster;
      try {
        loaded = clusterFiles.load(other);
      } catch (error) {
        log.warn({ cluster: other, error: String(error) }, "a cluster's file can't be read");
        return [];
      }
      return [loaded.declaration];
    });
}

function refuseFailedChecks(checks: readonly CheckResult[]): void {
  const failed = checks.filter(({ status }) => status === "fail");
  if (failed.length === 0) return;
  const [first] = failed;
  const more = failed.length > 1 ? ` (and ${failed.length - 1} more)` : "";
  throw new Failure(
    "PREFLIGHT_FAILED",
    `Preflight: ${first?.node == null ? "" : `${first.node}: `}${first?.found ?? ""}${more}. Nothing was touched.`,
    { hint: first?.fix ?? "", evidence: failed.map((check) => printCheck(check)) },
  );
}

export function refuseForecast({ refusals }: CopyForecast): void {
  const [first] = refusals;
  if (first === undefined) return;
  throw new Failure("FORECAST_REFUSED", `${first} Nothing was touched.`, { evidence: refusals });
}

function printCheck({ id, node, found, wanted, fix }: CheckResult): string {
  return `${id}${node === null ? "" : ` (${node})`}: found ${found}; wanted ${wanted}. ${fix}`;
}
