import { round } from "../spread.ts";
import type { Delivery } from "./receiver.ts";

export type Latency = {
  readonly count: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  readonly maxMs: number | null;
};

/** By nearest rank: every figure is one that was measured. */
export function latencyOf(values: readonly number[]): Latency {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number | null => {
    const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
    return value === undefined ? null : round(value, 1);
  };
  return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

export type DeliveryTally = {
  /** About watched files; rules that break because of them are not counted. */
  readonly deliveries: number;
  /** An id that had come before, or what the delivery before it about the same file had said already. */
  readonly duplicates: number;
};

export function tallyDeliveries(deliveries: readonly Delivery[]): DeliveryTally {
  const about = deliveries.filter(({ cause }) => /^node:[^:]+:file:/.test(cause));
  const ids = new Set<string>();
  const said = new Map<string, string>();
  let duplicates = 0;
  for (const { id, cause, state, detail } of about) {
    const content = `${state}\n${detail.replace(/^changed .*\n?/, "")}`;
    if (ids.has(id) || said.get(cause) === content) duplicates += 1;
    ids.add(id);
    said.set(cause, content);
  }
  return { deliveries: about.length, duplicates };
}
