import type { LoadedCluster } from "../../ports.ts";
import { Failure } from "#shared/errors.ts";
import { noPreconditions } from "../add-node/plan/common.ts";
import type { AddNodeLimits } from "../add-node/situation.ts";
import type { CheckResult, Plan, PlanStep } from "../plan.ts";
import { attachSteps } from "../switchover/plan.ts";
import type { DrillSituation } from "./checks.ts";
import { faultStep, streamsFrom } from "./fault-step.ts";
import { failsPrimary, planPrimaryDrill } from "./primary-plan.ts";

/** The fault of a node while a client writes and reads through a pool; then, where asked, all as before. */
export function planDrill(
  situation: DrillSituation,
  restore: boolean,
  cluster: LoadedCluster,
  checks: readonly CheckResult[],
  limits: AddNodeLimits,
): Plan {
  if (failsPrimary(situation)) {
    return planPrimaryDrill(situation, restore, cluster, checks, limits);
  }
  const { asked: name, nodes, primaries: [primary], subject } = situation; // prettier-ignore
  const { systemIdentifier = null, timeline = null } = primary?.facts?.database ?? {};
  if (primary === undefined || subject === null || systemIdentifier === null) throw new Failure("INTERNAL", "preflight has let this pass"); // prettier-ignore
  const { name: node } = primary.declared;
  const { holdMs, stallMs } = limits;
  const { dataDirectory } = subject.declared.paths;
  const back: readonly PlanStep[] = [
    {
      id: `start-database/${name}`,
      phase: "start",
      title: `Start ${name} as the standby that it was`,
      preview: [],
      on: name,
      kind: "start-database",
      args: { dataDirectory, stallMs },
      preconditions: noPreconditions,
    },
    {
      id: `prove-streaming/${name}`,
      phase: "verify",
      title: `See ${name} stream from ${node}, at most 1 MB behind`,
      preview: [],
      on: name,
      kind: "prove-streaming",
      args: streamsFrom(primary, subject, cluster.declaration, stallMs),
      preconditions: noPreconditions,
    },
    ...attachSteps([subject], { nodes, holdMs }),
  ];
  const fault = { victim: subject, primary, standbys: [subject] };
  const managers = nodes.filter(({ declared }) => declared.pool !== null);
  return {
    declaration: cluster.declaration,
    declarationHash: cluster.hash,
    checks,
    forecast: null,
    premise: { primary: node, systemIdentifier, timeline },
    steps: [faultStep(fault, situation, cluster, limits), ...(restore ? back : [])],
    reserves: [
      { node: name, classes: ["database", "role", "pool-row"] },
      ...managers
        .filter((one) => one !== subject)
        .map(({ declared }) => ({ node: declared.name, classes: ["pool-row" as const] })),
    ],
    notes: restore
      ? []
      : [`${name} is left as the fault leaves it: its guard starts it where it is in charge, else castellan cluster start ${cluster.declaration.name}.`], // prettier-ignore
  };
}
