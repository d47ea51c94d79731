import type { GuardFacts } from "#shared/domain/facts.ts";

/** As agents name it among their voters. */
const coordinatorVoter = "the coordinator";
const leastVoters = 3;
/** Of what an agent sees of another node, this long ago still counts to it as seen. */
const sightMs = 10_000;
const slackMs = 3_000;

export type SilenceCase = {
  readonly lost: string;
  readonly nodes: readonly string[];
  /** No declared node is on its host. */
  readonly coordinatorIsVoter: boolean;
  /** What it told last of stopping itself; null: it does not. */
  readonly selfFence: GuardFacts["selfFence"] | null;
  /** For how long nothing came over the link to its agent, which ended by that; null where it ended otherwise, or never was. */
  readonly silentMs: number | null;
  /** Of each other data node whose agent is connected: for how long its own looks have not reached the lost one; null: they do. */
  readonly words: readonly { readonly node: string; readonly silentMs: number | null }[];
  /** After so long a silence the link counts as lost, at either end. */
  readonly linkLostAfterMs: number;
};

export type SilenceVerdict =
  | { readonly stopped: true; readonly because: string }
  /** `mayCome`: with time. `inMs`: it will, unless somebody reaches it. */
  | {
      readonly stopped: false;
      readonly because: string;
      readonly mayCome: boolean;
      readonly inMs: number | null;
    };

/**
 * Whether a host that nobody can ask has stopped its primary by itself: it said that it would, was heard until the silence
 * began, and a majority of the voters that it named has not reached it since. A voter's silence goes both ways: TCP needs
 * both directions. docs/adr/0010-silence-of-an-armed-primary.md
 */
export function judgeSilence(silence: SilenceCase): SilenceVerdict {
  const { lost, selfFence, silentMs, words } = silence;
  const never = (because: string): SilenceVerdict => ({
    stopped: false,
    because: `${lost} can't be asked: ${because}`,
    mayCome: false,
    inMs: null,
  });
  if (silentMs === null) {
    return never("its agent was not heard until a silence began, so nobody knows that it still stops itself"); // prettier-ignore
  }
  if (selfFence === null || selfFence === undefined) return never("it was not armed for self-fencing"); // prettier-ignore
  const { voters, withinMs } = selfFence;
  const declared = [...silence.nodes, ...(silence.coordinatorIsVoter ? [coordinatorVoter] : [])];
  if (voters.toSorted().join() !== declared.toSorted().join()) {
    return never(`it counted on ${voters.join(", ")} as voters, and declared are ${declared.join(", ")}`); // prettier-ignore
  }
  if (voters.length < leastVoters) return never(`${voters.length} voters prove nothing by silence`);
  const silences = voters
    .flatMap((voter) => {
      const forMs = voter === coordinatorVoter ? silentMs : words.find(({ node }) => node === voter)?.silentMs; // prettier-ignore
      return forMs === null || forMs === undefined ? [] : [{ voter, forMs }];
    })
    .toSorted((a, b) => b.forMs - a.forMs);
  const majority = silences.slice(0, Math.floor(voters.length / 2) + 1);
  const named = majority.map(({ voter }) => voter).join(", ") || "nobody";
  if (majority.length * 2 <= voters.length) {
    return {
      stopped: false,
      because: `${lost} can't be asked, and ${majority.length} of ${voters.length} voters say that they don't reach it: ${named}`,
      mayCome: true,
      inMs: null,
    };
  }
  const forMs = Math.min(...majority.map((one) => one.forMs));
  // What it saw last of its voters counts there for a while, and so does a link over which nothing comes.
  const wantedMs = withinMs + Math.max(sightMs, silence.linkLostAfterMs) + slackMs;
  const since = `${named} (${majority.length} of ${voters.length} voters) have not reached ${lost} for ${seconds(forMs)}`;
  return forMs >= wantedMs
    ? {
        stopped: true,
        because: `${since}; it was armed to stop itself, at the latest after ${seconds(wantedMs)}`,
      }
    : {
        stopped: false,
        because: `${since}; it counts as stopped after ${seconds(wantedMs)}`,
        mayCome: true,
        inMs: wantedMs - forMs,
      };
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
