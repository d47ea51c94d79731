import type { GuardFacts } from "#shared/domain/facts.ts";
import type { GuardMode } from "#shared/domain/guard.ts";
import type { GuardView } from "./view.ts";

/** Whose votes count: the declared data nodes, and the coordinator where it runs on no host of theirs. */
const coordinatorVoter = "the coordinator";
/** Of two, one that is silent would stop a primary that nobody may replace. */
const leastVoters = 3;

/** One host has one vote, whatever runs there. */
export function coordinatorVoteOf(url: string, cluster: GuardView["cluster"]): boolean {
  const host = URL.canParse(url) ? new URL(url).hostname.replaceAll(/^\[|\]$/g, "") : null;
  return (cluster?.nodes ?? []).every(({ address, name }) => address !== host && name !== host);
}

type ReachView = Pick<
  GuardView,
  "cluster" | "node" | "peers" | "coordinatorConnected" | "coordinatorIsVoter"
>;

/** Which voters this host reaches; null where they are too few to say anything. */
export function reachOf(view: ReachView): {
  readonly voters: readonly string[];
  readonly hasMajority: boolean;
  /** Also if whoever was not looked at yet were reached: what is not known is no silence. */
  readonly isCutOff: boolean;
  readonly text: string;
} | null {
  const { cluster, node, peers, coordinatorConnected, coordinatorIsVoter } = view;
  if (cluster === null) return null;
  const others = cluster.nodes.map(({ name }) => name).filter((name) => name !== node);
  const voters = [node, ...others, ...(coordinatorIsVoter ? [coordinatorVoter] : [])];
  if (voters.length < leastVoters) return null;
  const seen = (name: string) => peers.find((peer) => peer.node === name)?.database;
  // A host that refuses a connection is one that is reached.
  const reached = others.filter((name) => ![undefined, "silent"].includes(seen(name)));
  const unknown = others.filter((name) => seen(name) === undefined);
  const named = [...reached, ...(coordinatorIsVoter && coordinatorConnected ? [coordinatorVoter] : [])]; // prettier-ignore
  const votes = 1 + named.length;
  const isMajority = (count: number): boolean => count * 2 > voters.length;
  return {
    voters,
    hasMajority: isMajority(votes),
    isCutOff: !isMajority(votes + unknown.length),
    text: `${votes} of ${voters.length} voters: itself${named.map((name) => `, ${name}`).join("")}`,
  };
}

/** A primary that reaches no majority: whoever looks at the trust addresses has a reason to. */
export function isCutOff(view: ReachView & Pick<GuardView, "facts">): boolean {
  return mayTakeWrites(view) && reachOf(view)?.isCutOff === true;
}

/** A primary, or one that gives this agent no session. */
export function mayTakeWrites({ facts: { database } }: Pick<GuardView, "facts">): boolean {
  const { hasStandbyMarker, role, status } = database;
  return status === "running" ? role === "primary" : status === "unreachable" && !hasStandbyMarker;
}

/** The look itself, an address to drop, and the end of all sessions. */
const stopsWithinMs = 10_000;
/** From the death of the agent until systemd's next one has looked at everybody. */
const restartMs = 5_000;

/**
 * What others may count on: without a majority of these voters for so long this node takes no write. null where the guard
 * would not stop it, or where nobody would start a dead agent again.
 */
export function selfFenceOf(
  view: ReachView & Pick<GuardView, "policy" | "vendorAtWork" | "marks">,
  mode: GuardMode["mode"],
  watchdogMs: number | null,
): NonNullable<GuardFacts["selfFence"]> | null {
  const { armed, afterMs } = view.policy.selfFence;
  const voters = reachOf(view)?.voters ?? null;
  if (!armed || mode !== "enforce" || watchdogMs === null || voters === null) return null;
  if (view.vendorAtWork !== null || view.marks.stopped !== null) return null;
  return { withinMs: Math.max(afterMs, watchdogMs + restartMs) + stopsWithinMs, voters: [...voters] }; // prettier-ignore
}
