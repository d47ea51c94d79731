import { Decision } from "#shared/domain/guard.ts";
import { openLineFile } from "../adapters/line-file.ts";

/** The last decisions of this host, and which of them the coordinator has not taken yet. */
export type DecisionRing = {
  /** Told at once, whatever the disk does; on disk when it answers. */
  add(decision: Decision): Promise<void>;
  waiting(): readonly Decision[];
  acknowledge(id: string): void;
};

const most = 100;

/** After a restart all are told again: the coordinator knows them by their ids, or has lost them. */
export async function openDecisionRing(
  stateDirectory: string,
  onAdded: (decision: Decision) => void = () => undefined,
): Promise<DecisionRing> {
  const file = await openLineFile(`${stateDirectory}/decisions.jsonl`, most);
  const waiting = new Map(file.lines.flatMap(parseLine).map((kept) => [kept.id, kept]));
  return {
    add: async (decision) => {
      waiting.set(decision.id, decision);
      const oldest = waiting.keys().next().value;
      if (waiting.size > most && oldest !== undefined) waiting.delete(oldest);
      onAdded(decision);
      await file.append(JSON.stringify(decision));
    },
    waiting: () => [...waiting.values()],
    acknowledge: (id) => void waiting.delete(id),
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
