import { Failure } from "#shared/errors.ts";
import type { LoadedCluster } from "../../ports.ts";
import type { KnownNode } from "../add-node/situation.ts";
import type { CheckResult, Plan, PlanStep } from "../plan.ts";
import { lastPrimary } from "./last-primary.ts";
import { isRunning, isStoppedStandby, type ClusterSituation } from "./situation.ts";
import {
  attachSteps,
  proveStreamingStep,
  reserved,
  startPoolSteps,
  startPrimaryStep,
  startStandbyStep,
  stopDatabasesStep,
  stopPoolSteps,
  takeAddressSteps,
} from "./steps.ts";

/** Clients first, then what they wrote to: a pool that still ran would fail over when the primary stops. */
export function planStop(
  situation: ClusterSituation,
  cluster: LoadedCluster,
  checks: readonly CheckResult[],
): Plan {
  return {
    ...planOf(situation, cluster, checks),
    ...premiseOf(situation),
    steps: [...stopPoolSteps(situation), stopDatabasesStep(situation)],
    notes: [
      ...sessions(situation),
      "Nothing starts it again but castellan cluster start, or a person. Taken back, it runs as before.",
    ],
  };
}

export function planStart(
  situation: ClusterSituation,
  cluster: LoadedCluster,
  checks: readonly CheckResult[],
): Plan {
  const last = lastPrimary(situation);
  const started = situation.nodes.filter((node) => isStoppedStandby(node, situation));
  const standbys = started.map((node) => startStandbyStep(node, situation));
  const plan = planOf(situation, cluster, checks);
  if (last.is !== "running" && last.is !== "proven") {
    return { ...plan, steps: standbys, notes: ["Only standbys are started: no pool, no virtual address, nobody can write."] }; // prettier-ignore
  }
  const { node } = last;
  const start = last.is === "proven" ? startPrimaryStep(node, last.timeline, situation) : null;
  const running = situation.nodes.filter((one) => isRunning(one) && one !== node);
  return {
    ...plan,
    steps: [
      ...(start === null ? [] : [start]),
      ...standbys,
      ...servingSteps(node, [...started, ...running], situation),
    ],
    // From then on clients may have written.
    ...(start === null ? {} : { noReturn: start.id }),
    notes: last.is === "proven" ? [`${node.declared.name} was the primary: ${last.because}.`] : [],
  };
}

/** A full outage; for settings of which a standby and its primary may not differ it is never needed. */
export function planRestart(
  situation: ClusterSituation,
  cluster: LoadedCluster,
  checks: readonly CheckResult[],
): Plan {
  const [primary] = situation.primaries;
  if (primary === undefined) throw new Failure("INTERNAL", "preflight has let this pass");
  const standbys = situation.nodes.filter(
    (node) => isRunning(node) && node !== primary && node.facts?.database.role === "standby",
  );
  const start = startPrimaryStep(primary, primary.facts?.database.timeline ?? 1, situation);
  return {
    ...planOf(situation, cluster, checks),
    ...premiseOf(situation),
    steps: [
      ...stopPoolSteps(situation),
      stopDatabasesStep(situation),
      start,
      ...standbys.map((node) => startStandbyStep(node, situation)),
      ...servingSteps(primary, standbys, situation),
    ],
    noReturn: start.id,
    notes: [
      ...sessions(situation),
      "Nobody can read or write meanwhile; --rolling restarts one node after the other.",
    ],
  };
}

/** Those who write are served before it is waited for standbys: one that never streams must keep nobody out. */
function servingSteps(
  primary: KnownNode,
  standbys: readonly KnownNode[],
  situation: ClusterSituation,
): readonly PlanStep[] {
  return [
    ...startPoolSteps(situation),
    ...takeAddressSteps(primary, situation),
    ...attachSteps([primary], situation),
    ...standbys.flatMap((node) => [
      proveStreamingStep(node, primary, situation),
      ...attachSteps([node], situation),
    ]),
  ];
}

function planOf(
  situation: ClusterSituation,
  { declaration, hash }: LoadedCluster,
  checks: readonly CheckResult[],
): Omit<Plan, "steps" | "notes"> {
  return {
    declaration,
    declarationHash: hash,
    checks,
    forecast: null,
    reserves: reserved(situation) ?? [],
  };
}

/** Read again when the cluster is started: it says who was the primary. */
function premiseOf({ primaries: [primary] }: ClusterSituation): Pick<Plan, "premise"> {
  const { systemIdentifier = null, timeline = null } = primary?.facts?.database ?? {};
  if (primary === undefined || systemIdentifier === null) return {};
  return { premise: { primary: primary.declared.name, systemIdentifier, timeline } };
}

function sessions({ nodes }: ClusterSituation): readonly string[] {
  return nodes
    .filter(isRunning)
    .map(({ declared, facts }) => `${facts?.database.clientSessions ?? 0} client sessions on ${declared.name} end.`); // prettier-ignore
}
