import type { NodeFacts } from "#shared/domain/facts.ts";
import type { HostEvent } from "./host-event.ts";
import type { Ports } from "./ports.ts";
import type { ExpectedChanges } from "./watch/expected-changes.ts";

/**
 * Observe, decide, report. Edges (a closed connection, a file event, an ended command, a schedule) only wake the
 * loop; every decision looks at the whole state. One cycle at a time; wakes during a cycle make one more.
 *
 * Wiring in main.ts:
 *   const expected = createExpectedChanges();          // files.replace/remove call expected.expect(path, hash) first
 *   await using loop = createLoop({ ports, expected, startedAt, onFacts, onHostEvent });
 *   ports.observe = () => loop.observeNow();           // late-bound: the loop itself doesn't use ports.observe
 *   own database connection closed  → loop.wake("database-closed"); opened → loop.wake("database-opened")
 *   command ended                   → loop.wake("command-ended")
 *   message `baselines`             → loop.setBaselines(message.files)
 *   message `observe-now`           → await loop.observeNow()
 */
export type Loop = AsyncDisposable & {
  /** Look again soon; many wakes are one look. */
  wake(reason: WakeReason): void;
  /** Everything is looked at anew by a cycle that begins after this call; it is reported too. */
  observeNow(): Promise<NodeFacts>;
  /** Accepted contents of watched files; replaces all that were known. */
  setBaselines(files: readonly { readonly path: string; readonly hash: string | null }[]): void;
  /** The latest facts; null before the first cycle has ended. */
  facts(): NodeFacts | null;
};

export type WakeReason =
  | "start"
  | "timer"
  | "database-closed"
  | "database-opened"
  | "command-ended"
  | "file"
  | "schedule"
  | "asked";

export type LoopOptions = {
  readonly ports: Omit<Ports, "observe" | "jobs">;
  readonly expected: ExpectedChanges;
  /** When the agent was started, ms since the epoch. */
  readonly startedAt: number;
  /** After every cycle. A section that is as before is the SAME object: compare by reference. */
  readonly onFacts: (facts: NodeFacts) => void;
  readonly onHostEvent: (event: HostEvent) => void;
};
