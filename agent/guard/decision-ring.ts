import { Decision } from "#shared/domain/guard.ts";
import { openLineFile } from "../adapters/line-file.ts";

/** The last decisions of this host, and which of them the coordinator has not taken yet. */
export type DecisionRing = {
  /** Told at once, whatever the disk does; on disk when it answers. One of a known id takes that one's place. */
  add(decision: Decision): Promise<void>;
  /** The oldest first. */
  recent(): readonly Decision[];
  waiting(): readonly Decision[];
  /** `outcome`: with which it was taken; null: whatever it was, by a coordinator of before. */
  acknowledge(id: string, outcome: Decision["outcome"] | null): void;
  /** Resolves when the coordinator has taken it with the outcome that it has now. @throws the signal's reason */
  taken(id: string, signal: AbortSignal): Promise<void>;
};

const most = 100;

/**
 * After a restart all are told again: the coordinator knows them by their ids, or has lost them. Nothing goes on from
 * disk: what had begun has failed.
 */
export async function openDecisionRing(
  stateDirectory: string,
  onAdded: (decision: Decision) => void = () => undefined,
): Promise<DecisionRing> {
  const file = await openLineFile(`${stateDirectory}/decisions.jsonl`, most);
  const kept = new Map<string, Decision>();
  for (const decision of file.lines.flatMap(parseLine)) {
    // A later line has the later word, in the place of the first.
    kept.set(decision.id, decision);
  }
  const untaken = new Set(kept.keys());
  const watchers = new Set<() => void>();
  let writing: Promise<void> = Promise.resolve();

  function write(decision: Decision): Promise<void> {
    const written = writing.then(() => file.append(JSON.stringify(decision)));
    writing = written.catch(() => undefined);
    return written;
  }

  function keep(decision: Decision): Promise<void> {
    kept.set(decision.id, decision);
    untaken.add(decision.id);
    const oldest = kept.keys().next().value;
    if (kept.size > most && oldest !== undefined) {
      kept.delete(oldest);
      untaken.delete(oldest);
    }
    return write(decision);
  }

  for (const decision of kept.values()) {
    if (decision.outcome !== "begun") continue;
    // Where the disk takes nothing, the next start finds it as it was.
    await keep({ ...decision, outcome: "failed", why: "the agent was restarted meanwhile" }).catch(
      () => undefined,
    );
  }
  return {
    add: (decision) => {
      const written = keep(decision);
      onAdded(decision);
      return written;
    },
    recent: () => [...kept.values()],
    waiting: () => [...kept.values()].filter(({ id }) => untaken.has(id)),
    acknowledge: (id, outcome) => {
      const isNewer = outcome !== null && kept.get(id)?.outcome !== outcome;
      if (isNewer) return;
      untaken.delete(id);
      for (const look of watchers) look();
    },
    taken: (id, signal) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!signal.aborted && (untaken.has(id) || !kept.has(id))) return;
          watchers.delete(look);
          signal.removeEventListener("abort", look);
          if (signal.aborted) reject(signal.reason);
          else resolve();
        };
        watchers.add(look);
        signal.addEventListener("abort", look);
        look();
      }),
  };
}

/** A line of another version, or damaged, is passed over: the guard works on without its past. */
function parseLine(line: string): readonly Decision[] {
  try {
    return [Decision.parse(JSON.parse(line))];
  } catch {
    return [];
  }
}
