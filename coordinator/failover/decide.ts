import { greaterLsn, lsnDistance } from "#shared/domain/lsn.ts";
import { parseSyncList, requiredStandbys } from "#shared/domain/sync-list.ts";

/** A data node as its own agent has just seen it; of one whose agent is away nothing is known. */
export type NodeLook = {
  readonly node: string;
  readonly role: "primary" | "standby" | null;
  readonly systemIdentifier: string | null;
  readonly timeline: number | null;
  readonly received: string | null;
  readonly replayed: string | null;
  /** The host that a WAL receiver gets from: it may get more. */
  readonly receivesFrom: string | null;
};

export type FailoverCase = {
  /** The primary that is said to be gone. */
  readonly lost: string;
  /** All data nodes but that. */
  readonly others: readonly string[];
  readonly proof: Proof | NoProof;
  /** Those that its guard let commits go without, and has not waited for since: they lack what was acknowledged. */
  readonly leftBehind: readonly string[];
  /** One after the other, the second one begun when the first one had ended. */
  readonly looks: readonly [readonly NodeLook[], readonly NodeLook[]];
};

/** It takes no write any more: its own agent has answered `fence`, or it stopped itself in a silence. */
type Proof = {
  readonly because: string;
  readonly synchronousStandbyNames: string;
  readonly timeline: number;
  /** Of a silence: the host from which nothing can come, whatever a receiver says. */
  readonly silentHost: string | null;
};

type NoProof = {
  readonly missing: string;
  readonly mayCome: boolean;
  /** It will, by the time that has passed then. */
  readonly inMs: number | null;
};

export type FailoverDecision =
  | { readonly do: "promote"; readonly successor: Candidate; readonly because: string }
  /** Somebody else leads by now. */
  | { readonly do: "nothing"; readonly primary: string; readonly because: string }
  /** `mayChange`: by itself, in a moment; or by the time that has passed then. */
  | {
      readonly do: "wait";
      readonly mayChange: boolean;
      readonly inMs?: number | null;
      readonly because: string;
    };

export type Candidate = {
  readonly node: string;
  readonly systemIdentifier: string | null;
  readonly timeline: number;
  /** Greatest of received and replayed. */
  readonly position: string;
};

/** Who takes the place of a primary, if anybody may: nobody is promoted without proof that it takes no write any more. */
export function decideFailover(failover: FailoverCase): FailoverDecision {
  const { leftBehind, lost, looks, others, proof } = failover;
  const [before, now] = looks;
  const leading = now.filter(({ role }) => role === "primary").map(({ node }) => node);
  const [primary] = leading;
  if (primary !== undefined) {
    return leading.length === 1
      ? { do: "nothing", primary, because: `${primary} is the primary` }
      : { do: "wait", mayChange: false, because: `${leading.join(" and ")} are primaries` };
  }
  if ("missing" in proof) {
    const { inMs, mayCome, missing } = proof;
    return { do: "wait", mayChange: mayCome, inMs, because: missing };
  }
  const seen = now.flatMap((look) => candidate(look, before, proof.silentHost));
  const ahead = now.filter(({ timeline }) => timeline !== null && timeline > proof.timeline);
  if (ahead.length > 0) {
    const found = ahead
      .map(({ node, timeline }) => `${node} is on timeline ${timeline}`)
      .join(", ");
    return { do: "wait", mayChange: false, because: `${found}, ${lost} on ${proof.timeline}: somebody else led after it` }; // prettier-ignore
  }
  const moving = now.filter(({ node, role }) => role === "standby" && !seen.some((one) => one.node === node)); // prettier-ignore
  if (moving.length > 0) {
    const names = moving.map(({ node }) => node).join(", ");
    return { do: "wait", mayChange: true, because: `${names}: still receiving, or not at rest` };
  }
  const away = others.filter((node) => !seen.some((one) => one.node === node));
  const acknowledged = mayLackCommits(proof.synchronousStandbyNames, { lost, seen });
  if (acknowledged !== null) return { do: "wait", mayChange: true, because: acknowledged };
  const [successor] = seen.toSorted(mostAdvancedFirst);
  if (successor === undefined) {
    return { do: "wait", mayChange: true, because: "no standby can be asked" };
  }
  // With one that did not leave, the most advanced has all that this one has.
  if (seen.every(({ node }) => leftBehind.includes(node))) {
    const names = seen.map(({ node }) => node).join(", ");
    return { do: "wait", mayChange: false, because: `${lost} went on without ${names}: what was acknowledged then is on nobody else that can be asked` }; // prettier-ignore
  }
  const rest = seen.filter((one) => one !== successor);
  const compared = rest.map(({ node, position, timeline }) => `${node} ${position} (timeline ${timeline})`); // prettier-ignore
  return {
    do: "promote",
    successor,
    because: [
      proof.because,
      `${successor.node} has most: ${[`${successor.position} (timeline ${successor.timeline})`, ...compared].join(", ")}`,
      ...(away.length === 0 ? [] : [`not asked, for their agents are away: ${away.join(", ")}`]),
    ].join("; "),
  };
}

/** At rest: as far in both looks, and nothing more can come. */
function candidate(
  look: NodeLook,
  before: readonly NodeLook[],
  silentHost: string | null,
): readonly Candidate[] {
  const earlier = before.find(({ node }) => node === look.node);
  if (earlier === undefined) return [];
  const [first, second] = [earlier, look].map(({ received, replayed }) => greaterLsn(received, replayed)); // prettier-ignore
  const { node, systemIdentifier, timeline } = look;
  if (look.role !== "standby" || timeline === null || timeline !== earlier.timeline) return [];
  if ([look, earlier].some(({ receivesFrom: from }) => from !== null && from !== silentHost)) return []; // prettier-ignore
  if (second === null || second === undefined || first !== second) return [];
  return [{ node, systemIdentifier, timeline, position: second }];
}

/**
 * A commit was acknowledged when so many of the listed ones had it. Unless as many can't be asked, one of those that can has all
 * that was acknowledged, and the most advanced one has no less.
 */
function mayLackCommits(
  value: string,
  { lost, seen }: { readonly lost: string; readonly seen: readonly Candidate[] },
): string | null {
  const required = requiredStandbys(value);
  const list = parseSyncList(value);
  if (required === 0) return null;
  if (required === null || list.kind !== "list") {
    return `who has all that was acknowledged can't be told from synchronous_standby_names = '${value}'`;
  }
  const isNamed = (node: string, name: string): boolean => node.toLowerCase() === name.toLowerCase(); // prettier-ignore
  const unseen = list.names
    .filter((name) => !isNamed(lost, name))
    .filter((name) => !seen.some(({ node }) => isNamed(node, name)));
  if (unseen.length < required) return null;
  return `${unseen.join(", ")} may have commits that nobody else has: synchronous_standby_names = '${value}'`;
}

function mostAdvancedFirst(a: Candidate, b: Candidate): number {
  if (a.timeline !== b.timeline) return b.timeline - a.timeline;
  const distance = lsnDistance(a.position, b.position) ?? 0;
  return distance === 0 ? a.node.localeCompare(b.node) : distance;
}
