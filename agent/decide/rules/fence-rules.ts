import type { GuardStep } from "#shared/domain/guard.ts";
import { isCutOff, reachOf } from "../isolation.ts";
import { isFenceOver, mayFollowPrimary, ownPlace, stillPrimary } from "../still-primary.ts";
import { streamingStandbys, type GuardView } from "../view.ts";
import { nicWith, virtualAddress } from "../virtual-address.ts";
import { onlyPrimary } from "../whom-to-follow.ts";
import type { Rule } from "./rule.ts";

/** A primary that may not be the only one. */
export const fenceRules: readonly Rule[] = [
  {
    id: "isolated-primary",
    because: "this primary reaches no majority of voters, so another one may take its place",
    severity: "critical",
    // The fence time says how long it has to last.
    looks: 1,
    class: "database",
    when: (view) => {
      const { withoutMajorityMs: forMs, policy } = view;
      if (!isCutOff(view) || forMs < policy.selfFence.afterMs) return null;
      return `${reachOf(view)?.text ?? ""}; for ${Math.round(forMs / 1_000)} s${trustText(view)}`;
    },
    steps: (view) =>
      view.policy.selfFence.armed ? [...stepDown(view), { do: "write-standby-marker" }] : [],
    isPromised: true,
    nearly: (view) =>
      isCutOff(view) ? { evidence: reachOf(view)?.text ?? "", missing: "more time" } : null,
    next: "guard.selfFence in agent.yaml says whether it stops itself; mend the network of this host",
  },
  {
    id: "disk-failed",
    because: "a disk of the database can't be written, synced or read, and commits will hang",
    severity: "critical",
    looks: 2,
    class: "database",
    when: ({ checks, facts: { database } }) => {
      if (database.status !== "running" && database.status !== "unreachable") return null;
      const check = checks.find(({ name }) => name === "disk");
      return check?.severity === "critical" ? check.lastResult : null;
    },
    steps: (view) => {
      const { status, role, hasStandbyMarker } = view.facts.database;
      const isPrimary = status === "running" ? role === "primary" : !hasStandbyMarker;
      return view.policy.stopOnDiskFailure && isPrimary ? stepDown(view) : [];
    },
    witness: (view) => {
      // A server that hangs on its disk tells of no walsender.
      const isRunning = view.facts.database.status === "running";
      const standbys = streamingStandbys(view);
      const own = view.cluster?.nodes.find(({ name }) => name === view.node);
      const seen = view.peers.find(
        ({ node, database, upstream }) =>
          database === "standby" &&
          [own?.address, own?.name].includes(upstream ?? "") &&
          (!isRunning || standbys.includes(node)),
      );
      return seen === undefined ? null : `${seen.node} streams and could take over (${seen.from})`;
    },
    next: "see to the disk; guard.stopOnDiskFailure in agent.yaml says whether a primary stops, so that a standby can take over",
  },
  {
    id: "fenced-primary",
    because:
      "this node was the primary and runs as a standby until everybody who has a say agrees that it still is",
    severity: "critical",
    looks: 2,
    class: "database",
    when: (view) => {
      if (!isFenced(view)) return null;
      const { missing } = verdict(view);
      return missing.length === 0
        ? "every other node was seen and no pool has failed over"
        : missing.join("; ");
    },
    steps: (view) => {
      if (view.facts.database.status === "stopped") {
        return [{ do: "write-standby-marker" }, { do: "start-database" }];
      }
      // One that is open and was not looked at again: the step closes it where somebody objects.
      const isOpen = view.facts.database.role === "primary" && view.marks.shieldedAt !== null;
      return isOpen || verdict(view).missing.length === 0 ? [{ do: "open-as-primary" }] : [];
    },
    next: "castellan guard confirm-primary NODE, where you know that no other node was promoted",
  },
];

/** For people alone: who may be promoted goes by the voters. */
function trustText({ trustAnswers }: GuardView): string {
  if (trustAnswers === null) return "";
  return trustAnswers ? "; a trust address answers" : "; no trust address answers: it is this host that is cut off"; // prettier-ignore
}

/** No client of this host's address is to be left with a server that stops. */
function stepDown(view: GuardView): readonly GuardStep[] {
  const address = virtualAddress(view);
  const hasAddress = address !== null && nicWith(view.facts.host, address) !== null;
  const canDrop = view.facts.host.rootHelperVerbs.includes("vip-drop");
  return [
    ...(hasAddress && canDrop ? [{ do: "drop-vip" } as const] : []),
    { do: "stop-database", mode: "fast" },
  ];
}

/** By us; cut off while it was opened, too. With another primary it is that one's to be followed. */
function isFenced(view: GuardView): boolean {
  const { database } = view.facts;
  const { fencedAt, restartingSince, rejoiningSince } = view.marks;
  if (fencedAt === null || rejoiningSince !== null || database.hasIncompleteMarker) return false;
  if (isFenceOver(view)) return false;
  if (onlyPrimary(view) !== null || mayFollowPrimary(database.receiver, view)) return false;
  if (database.status === "running") return true;
  return database.status === "stopped" && restartingSince !== null && !database.hasStandbyMarker;
}

function verdict(view: GuardView): { readonly missing: readonly string[] } {
  const { against, doubts } = stillPrimary({ ...view, own: ownPlace(view) });
  return { missing: view.marks.confirmedAt === null ? [...against, ...doubts] : against };
}
