import type { CommandKind } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { LoadedCluster } from "../../ports.ts";
import { noPreconditions } from "../add-node/plan/common.ts";
import type { KnownNode } from "../add-node/situation.ts";
import { runChecks, type Check } from "../checks.ts";
import type { CheckResult, Plan, PlanStep } from "../plan.ts";
import { checkSwitchover } from "../switchover/checks.ts";
import { planSwitchover } from "../switchover/plan.ts";
import type { SwitchoverSituation } from "../switchover/situation.ts";
import { isFollower, poolVerbs } from "./checks.ts";
import { restartOrder } from "./hot-standby.ts";
import { isRunning, type ClusterSituation } from "./situation.ts";
import {
  attachSteps,
  detachSteps,
  proveStreamingStep,
  reserved,
  startPoolSteps,
  stopPoolSteps,
  takeAddressSteps,
} from "./steps.ts";

/** @throws Failure PREFLIGHT_FAILED; nothing was touched by then */
export function checkRolling(situation: ClusterSituation): readonly CheckResult[] {
  const own = runChecks(checks, situation);
  return [...own, ...checkSwitchover(asSwitchover(situation))];
}

/**
 * The successor first: its pool rows have the longest time to settle. A switchover starts the former primary anew, so that
 * nobody waits for a primary that restarts. Lowered hot-standby parameters go the other way: docs/life.md.
 */
export function planRolling(
  situation: ClusterSituation,
  cluster: LoadedCluster,
  checks: readonly CheckResult[],
): Plan {
  const [primary] = situation.primaries;
  const switchover = asSwitchover(situation);
  const { successor } = switchover;
  if (primary === undefined || successor === null) throw new Failure("INTERNAL", "preflight has let this pass"); // prettier-ignore
  const standbys = standbysOf(situation, successor);
  const steps = standbys.flatMap((node) => [
    ...detachSteps(node, situation),
    restartStep(node, "standby", situation),
    proveStreamingStep(node, primary, situation),
    ...attachSteps([node], situation, "restart"),
  ]);
  const handOver = planSwitchover(switchover, cluster, checks);
  const common = { ...handOver, reserves: reserved(situation) ?? [] };
  if (isPrimaryFirst(situation)) {
    const { noReturn: _none, ...plan } = common;
    return {
      ...plan,
      steps: [
        ...stopPoolSteps(situation),
        restartStep(primary, "primary", situation),
        ...startPoolSteps(situation),
        ...takeAddressSteps(primary, situation),
        ...steps,
      ],
      notes: [
        `Hot-standby parameters are lowered: ${primary.declared.name} is restarted first, where it stands, and nobody can write meanwhile.`,
        "Every node keeps its role.",
      ],
    };
  }
  return {
    ...common,
    steps: [...steps, ...handOver.steps],
    notes: [
      ...handOver.notes,
      `Sessions on a standby end with its restart. ${successor.declared.name} stays the primary: castellan switchover ${cluster.declaration.name} --to ${primary.declared.name} turns it round.`,
    ],
  };
}

const verbs: readonly CommandKind[] = [
  "restart-database",
  "detach-backend",
  "stop-pool",
  "start-pool",
];

const checks: readonly Check<ClusterSituation>[] = [
  {
    id: "successor",
    title: "A standby can take the primary's place meanwhile",
    goesFirst: true,
    wrong: (situation) =>
      situation.primaries.length !== 1 || successorOf(situation) !== null
        ? []
        : [{ node: null, found: "no standby streams from the primary", fix: `Without one: castellan cluster restart ${situation.declaration.name}, which stops everything at once.` }], // prettier-ignore
  },
  {
    id: "hot-standby-parameters",
    title: "Every standby has at least its primary's hot-standby parameters whenever it starts",
    wrong: (situation) => {
      const [primary] = situation.primaries;
      const successor = successorOf(situation);
      if (primary === undefined || successor === null) return [];
      const { refusals } = restartOrder(primary, standbysOf(situation, successor), successor);
      return refusals.map(({ node, because }) => ({ node, found: because, fix: `Set it in the files of ${node} first (castellan drift list shows what waits for a restart).` })); // prettier-ignore
    },
  },
  {
    id: "restart-verbs",
    title: "Every agent admits a restart",
    wrong: ({ nodes }) =>
      nodes.flatMap(({ declared: { name }, facts }) => {
        const missing = verbs.filter((verb) => facts?.agent.verbs.includes(verb) === false);
        if (missing.length === 0) return [];
        return [{ node: name, found: `${name} does not admit ${missing.join(", ")}`, fix: `On ${name}: add ${missing.map((verb) => `"${verb}"`).join(", ")} to allow.verbs in agent.yaml, and restart castellan-agent.` }]; // prettier-ignore
      }),
  },
  {
    ...poolVerbs,
    wrong: (situation) => (isPrimaryFirst(situation) ? poolVerbs.wrong(situation) : []),
  },
];

/** Hot-standby parameters are lowered: no pool may run while the primary restarts. */
function isPrimaryFirst(situation: ClusterSituation): boolean {
  const [primary] = situation.primaries;
  const successor = successorOf(situation);
  if (primary === undefined || successor === null) return false;
  return restartOrder(primary, standbysOf(situation, successor), successor).first === "primary";
}

/** Who commits wait for lacks nothing; else the first. */
function successorOf(situation: ClusterSituation): KnownNode | null {
  const streaming = situation.nodes.filter((node) => isRunning(node) && isFollower(node, situation)); // prettier-ignore
  const rows = situation.primaries[0]?.facts?.database.replication ?? [];
  const isSync = ({ declared }: KnownNode): boolean =>
    rows.some((row) => row.applicationName === declared.name && row.syncState === "sync");
  return streaming.find(isSync) ?? streaming[0] ?? null;
}

function standbysOf(situation: ClusterSituation, successor: KnownNode): readonly KnownNode[] {
  const others = situation.nodes.filter(
    (node) => node !== successor && isRunning(node) && isFollower(node, situation),
  );
  return [successor, ...others];
}

function asSwitchover(situation: ClusterSituation): SwitchoverSituation {
  const successor = successorOf(situation);
  return { ...situation, successor, to: successor?.declared.name ?? "" };
}

function restartStep(
  { declared: { name } }: KnownNode,
  role: "primary" | "standby",
  { stallMs }: ClusterSituation,
): PlanStep {
  return {
    id: `restart-database/${name}`,
    phase: "restart",
    title: `Restart ${name}`,
    preview: [],
    on: name,
    kind: "restart-database",
    args: { role, stallMs },
    preconditions: { ...noPreconditions, role },
  };
}
