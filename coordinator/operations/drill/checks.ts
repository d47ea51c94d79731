import { setting } from "../add-node/situation.ts";
import { runChecks, type Check } from "../checks.ts";
import type { CheckResult } from "../plan.ts";
import { agentsThere, isStandbyToBe, noForeignFailover, onePrimary, poolsRun, vendorAtRest, type SubjectSituation } from "../rebuild-node/subject-checks.ts"; // prettier-ignore
import { waitingWithout } from "../waiting-commits.ts";

export type DrillSituation = SubjectSituation & {
  readonly kind: "stop" | "kill";
  readonly acceptLoss: boolean;
};

/** In the order in which a person would mend them. @throws Failure PREFLIGHT_FAILED; nothing was touched by then */
export function checkDrill(situation: DrillSituation): readonly CheckResult[] {
  return runChecks(checks, situation);
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
  {
    id: "loss",
    title: "A crash loses nothing that was acknowledged",
    wrong: ({ asked, kind, acceptLoss, primaries: [primary] }) => {
      const names = setting(primary ?? null, "synchronous_standby_names") ?? "";
      if (kind === "stop" || acceptLoss || names !== "") return [];
      return [{ node: asked, found: "replication is asynchronous", fix: "--kind stop, or --accept-loss." }]; // prettier-ignore
    },
  },
  {
    id: "synchronous",
    title: "Commits don't wait for the node while it is down",
    wrong: ({ asked, primaries: [primary] }) => {
      const found = waitingWithout(asked, primary ?? null);
      return found === null ? [] : [{ node: asked, found, fix: "Ask for fewer standbys first, for as long as the drill takes." }]; // prettier-ignore
    },
  },
  {
    id: "a-pool",
    title: "There is a pool for the client to ask through",
    wrong: ({ nodes }) =>
      nodes.some(({ declared }) => declared.pool !== null)
        ? []
        : [{ node: null, found: "the cluster has no pool", fix: "A drill measures what the pool's clients feel." }], // prettier-ignore
  },
  poolsRun,
  noForeignFailover,
];
