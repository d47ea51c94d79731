import type { LoadedCluster } from "../../ports.ts";
import { Failure } from "#shared/errors.ts";
import { noPreconditions } from "../add-node/plan/common.ts";
import type { AddNodeLimits, KnownNode } from "../add-node/situation.ts";
import type { CheckResult, Plan, PlanStep, PoolAttachment } from "../plan.ts";
import { attachSteps } from "../switchover/plan.ts";
import type { DrillSituation } from "./checks.ts";
import { faultStep } from "./fault-step.ts";

export function failsPrimary({ scenario, subject, primaries }: Pick<DrillSituation, "scenario" | "subject" | "primaries">): boolean {
  return scenario === "cascade" || (subject !== null && primaries.includes(subject));
} // prettier-ignore

/** In a cascade: the standbys that go before the primary, so that the one that was asked for takes over. */
export function stoppedBefore({ scenario, nodes, subject, primaries }: Pick<DrillSituation, "scenario" | "nodes" | "subject" | "primaries">): readonly KnownNode[] {
  if (scenario !== "cascade") return [];
  return nodes.filter((node) => node !== subject && !primaries.includes(node));
} // prettier-ignore

/**
 * Who leads afterwards is the failover's choice, as in earnest: nothing is reserved, and what comes after it is worked out
 * then. The step of no return is the fault's, which ends when another node leads.
 */
export function planPrimaryDrill(
  situation: DrillSituation,
  restore: boolean,
  cluster: LoadedCluster,
  checks: readonly CheckResult[],
  limits: AddNodeLimits,
): Plan {
  const { nodes, primaries: [primary] } = situation; // prettier-ignore
  if (primary === undefined) throw new Failure("INTERNAL", "preflight has let this pass");
  const stopped = stoppedBefore(situation);
  const standbys = nodes.filter((node) => node !== primary && !stopped.includes(node));
  const attachmentOf = (node: KnownNode): PoolAttachment | undefined => {
    const [step] = attachSteps([node], { nodes, holdMs: limits.holdMs });
    return step?.kind === "attach-pool" ? step.args : undefined;
  };
  const attachment = attachmentOf(primary);
  const fault = { victim: primary, primary, standbys, ...(attachment === undefined ? {} : { attachment }) }; // prettier-ignore
  const faulty = faultStep(fault, situation, cluster, limits);
  const { name } = primary.declared;
  const { name: clusterName } = cluster.declaration;
  const back = [...stopped, primary].map((node): PlanStep => ({
    id: `bring-back/${node.declared.name}`,
    phase: "restore",
    title: `Bring ${node.declared.name} back as a standby of whoever leads then: rejoin, or rebuild where no rewind can help`,
    preview: [],
    on: null,
    kind: "bring-back",
    args: { node: node.declared.name, attachment: attachmentOf(node) ?? null },
  }));
  const handBack: PlanStep = {
    id: `hand-back/${name}`,
    phase: "restore",
    title: `Switch over to ${name}, which led before`,
    preview: [],
    on: null,
    kind: "hand-back",
    args: { to: name },
  };
  return {
    declaration: cluster.declaration,
    declarationHash: cluster.hash,
    checks,
    forecast: null,
    steps: [
      ...stopped.map((node) => stopStep(node, limits)),
      faulty,
      ...(restore ? [...back, handBack] : []),
    ],
    noReturn: faulty.id,
    notes: [
      "Nobody can write from the fault until the pools have failed over.",
      "Until another node leads it can be taken back, and is where nobody takes over; after that it only goes on.",
      ...(restore
        ? []
        : [`${[...stopped, primary].map(({ declared }) => declared.name).join(" and ")} are left to the guards: what they don't bring back, castellan node rejoin ${clusterName} NODE does; then castellan switchover ${clusterName} --to ${name}.`]), // prettier-ignore
    ],
  };
}

function stopStep({ declared: { name } }: KnownNode, { stallMs }: AddNodeLimits): PlanStep {
  return {
    id: `stop-standby/${name}`,
    phase: "stop",
    title: `Stop the standby ${name}`,
    preview: [],
    on: name,
    kind: "stop-standby",
    args: { stallMs },
    preconditions: { ...noPreconditions, role: "standby" },
  };
}
