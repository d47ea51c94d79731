import { rewindMeans } from "../../rules/evaluators.ts";
import { runChecks, type Check } from "../checks.ts";
import type { CheckResult } from "../plan.ts";
import { agentsThere, isStandbyToBe, onePrimary, poolsRun, vendorAtRest, type SubjectSituation } from "../rebuild-node/subject-checks.ts"; // prettier-ignore

/** In the order in which a person would mend them. @throws Failure PREFLIGHT_FAILED; nothing was touched by then */
export function checkRejoin(situation: SubjectSituation): readonly CheckResult[] {
  return runChecks(checks, situation);
}

const checks: readonly Check<SubjectSituation>[] = [
  onePrimary,
  isStandbyToBe,
  agentsThere(["rejoin"]),
  vendorAtRest,
  {
    id: "astray",
    title: "The node does not stream",
    wrong: ({ asked, subject }) => {
      const receiver = subject?.facts?.database.receiver ?? null;
      if (receiver?.status !== "streaming") return [];
      return [{ node: asked, found: `${asked} streams: ${receiver.conninfo}`, fix: "There is nothing to bring back: castellan status" }]; // prettier-ignore
    },
  },
  {
    id: "rewind-possible",
    title: "A rewind can bring the node back",
    wrong: ({ asked, declaration, primaries: [primary], subject }) => {
      const fix = `castellan node rebuild ${declaration.name} ${asked}`;
      const mark = subject?.facts?.guard.findings.find(({ rule }) => rule === "needs-rebuild");
      if (mark !== undefined) return [{ node: asked, found: `${asked} can't be rewound: ${mark.evidence}`, fix }]; // prettier-ignore
      if (rewindMeans(primary?.facts?.database.settings ?? {}) !== "neither") return [];
      return [{ node: asked, found: "the cluster has neither wal_log_hints nor checksums", fix: `${fix}, unless ${asked} has no WAL of its own`, isWarning: true }]; // prettier-ignore
    },
  },
  poolsRun,
];
