import { runChecks, type Check } from "../checks.ts";
import type { CheckResult } from "../plan.ts";
import { agentsThere, isStandbyToBe, noForeignFailover, onePrimary, poolsRun, vendorAtRest, type SubjectSituation } from "../rebuild-node/subject-checks.ts"; // prettier-ignore
import { waitingWithout } from "../waiting-commits.ts";
import { aPool, lossAccepted } from "./common-checks.ts";
import { primaryChecks } from "./primary-checks.ts";
import { failsPrimary } from "./primary-plan.ts";

export type DrillSituation = SubjectSituation & {
  /** `cascade`: every other standby is stopped, then the primary, and the one that was asked for takes over. */
  readonly scenario: "node" | "cascade";
  readonly kind: "stop" | "kill";
  readonly acceptLoss: boolean;
};

/** In the order in which a person would mend them. @throws Failure PREFLIGHT_FAILED; nothing was touched by then */
export function checkDrill(situation: DrillSituation): readonly CheckResult[] {
  const { subject } = situation;
  const isOfPrimary = subject !== null && failsPrimary(situation);
  return runChecks(isOfPrimary ? primaryChecks : checks, situation);
}

const checks: readonly Check<DrillSituation>[] = [
  onePrimary,
  isStandbyToBe,
  agentsThere(["run-load", "stop-standby", "kill-standby", "start-database"]),
  vendorAtRest,
  {
    id: "streaming",
    title: "The node streams",
    wrong: ({ asked, subject }) => {
      const { status, receiver } = subject?.facts?.database ?? {};
      if (status === "running" && receiver?.status === "streaming") return [];
      return [{ node: asked, found: `${asked} does not stream`, fix: `castellan why ${asked}` }];
    },
  },
  {
    id: "redundancy",
    title: "Another standby streams meanwhile",
    wrong: ({ asked, nodes, subject }) => {
      const others = nodes.filter(
        (node) => node !== subject && node.facts?.database.receiver?.status === "streaming",
      );
      if (others.length > 0) return [];
      return [{ node: asked, found: `no standby but ${asked} streams`, fix: "Until it is back nobody could take the primary's place.", isWarning: true }]; // prettier-ignore
    },
  },
  lossAccepted,
  {
    id: "synchronous",
    title: "Commits don't wait for the node while it is down",
    wrong: ({ asked, primaries: [primary] }) => {
      const found = waitingWithout(asked, primary ?? null);
      return found === null ? [] : [{ node: asked, found, fix: "Ask for fewer standbys first, for as long as the drill takes." }]; // prettier-ignore
    },
  },
  aPool,
  poolsRun,
  noForeignFailover,
];
