import { backoffMs } from "#shared/time.ts";
import { severities } from "../fleet/severity.ts";
import type { ChangedAlert, SinkRecord } from "../store/store.ts";
import type { SinkSettings } from "./sink-settings.ts";

/** Of a sink in trouble; it is not told to the sink itself. */
export function laggingCause(sink: string): string {
  return `sink:${sink}:lagging`;
}

export type Stock = {
  /** The revision to tell next; null when nothing waits. */
  readonly next: number | null;
  readonly waiting: number;
  /** The oldest that are given up for the limit's sake, and up to which revision. */
  readonly dropped: { readonly count: number; readonly upTo: number } | null;
  /** Nothing up to this revision is to be told. */
  readonly passedUpTo: number;
};

/** What waits for a sink: the journal's alerts themselves, each with its last change, so that several are one. */
export function takeStock(
  sink: QueueSink,
  from: number,
  changed: readonly ChangedAlert[],
  most: number,
): Stock {
  const wanted = changed.filter((alert) => isWanted(sink, alert));
  const excess = Math.max(0, wanted.length - most);
  const last = wanted[excess - 1];
  const next = wanted[excess]?.revision ?? null;
  return {
    next,
    waiting: wanted.length - excess,
    dropped: last === undefined ? null : { count: excess, upTo: last.revision },
    passedUpTo: next === null ? (changed.at(-1)?.revision ?? from) : next - 1,
  };
}

type QueueSink = Pick<SinkSettings, "name" | "minSeverity"> & Pick<SinkRecord, "firstRevision">;

/** A muted alert gets a new revision when its mute ends, a milder one when it becomes worse. */
export function isWanted(sink: QueueSink, alert: ChangedAlert): boolean {
  const { cause, severity, state, isMuted, revision } = alert;
  if (isMuted || cause === laggingCause(sink.name)) return false;
  if (severities.indexOf(severity) < severities.indexOf(sink.minSeverity)) return false;
  return state !== "resolved" || revision > sink.firstRevision;
}

/** How often the sink has failed in a row, and how often of that it was this alert that it did not want. */
export type Trouble = { readonly failures: number; readonly refusals: number };
export const noTrouble: Trouble = { failures: 0, refusals: 0 };

export type AfterFailure = {
  readonly trouble: Trouble;
  /** An alert that a sink will never take must not keep the others waiting. */
  readonly passOver: boolean;
  readonly waitMs: number;
  /** It has failed for long enough to be an alert. */
  readonly isLagging: boolean;
};

const backoff = { firstMs: 500, mostMs: 60_000 };
const lagsAfter = 5;
const mostRefusals = 8;

export function afterFailure(
  before: Trouble,
  failure: { readonly retryable: boolean },
  random: number,
): AfterFailure {
  const refusals = failure.retryable ? before.refusals : before.refusals + 1;
  const failures = before.failures + 1;
  const passOver = refusals >= mostRefusals;
  return {
    trouble: passOver ? { failures, refusals: 0 } : { failures, refusals },
    passOver,
    waitMs: passOver ? 0 : backoffMs(backoff, before.failures, random),
    isLagging: passOver || failures >= lagsAfter,
  };
}
