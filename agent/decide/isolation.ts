import type { GuardMemory, GuardView } from "./view.ts";

/** A gap between two looks: the agent stood still, and what it remembers of before says nothing of the time between. */
const longestGapMs = 10_000;

/** Which voters (declared data nodes, the coordinator) this host reaches; null where it knows of no cluster. */
export function reachOf({
  cluster,
  node,
  peers,
  coordinatorConnected,
}: Pick<GuardView, "cluster" | "node" | "peers" | "coordinatorConnected">): {
  readonly hasMajority: boolean;
  readonly text: string;
} | null {
  if (cluster === null) return null;
  const others = cluster.nodes.map(({ name }) => name).filter((name) => name !== node);
  // A host that refuses a connection is one that is reached.
  const reached = others.filter((name) =>
    peers.some((peer) => peer.node === name && peer.database !== "silent"),
  );
  const voters = others.length + 2;
  const votes = 1 + reached.length + (coordinatorConnected ? 1 : 0);
  const named = [...reached, ...(coordinatorConnected ? ["the coordinator"] : [])];
  return {
    hasMajority: votes * 2 > voters,
    text: `${votes} of ${voters} voters: itself${named.map((name) => `, ${name}`).join("")}`,
  };
}

/** A running primary that reaches no majority: whoever looks at the trust addresses has a reason to. */
export function isCutOff(view: GuardView): boolean {
  const { status, role } = view.facts.database;
  return status === "running" && role === "primary" && reachOf(view)?.hasMajority === false;
}

/** For how long, by a clock that nobody sets; null while it is not isolated. */
export function isolatedSince(
  before: GuardMemory["isolated"],
  view: GuardView,
): GuardMemory["isolated"] {
  if (!isCutOff(view) || view.trustAnswers !== false) return null;
  const { elapsedMs } = view;
  const isKnown = before !== null && elapsedMs - before.seenMs <= longestGapMs;
  return { sinceMs: isKnown ? before.sinceMs : elapsedMs, seenMs: elapsedMs };
}
