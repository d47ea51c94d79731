import type { FailureRecord } from "#shared/domain/operation.ts";
import type { FailoverAnswer } from "#shared/protocol/messages.ts";
import type { Log } from "#shared/log.ts";
import type { Clock } from "#shared/time.ts";
import type { ForecastError } from "./operations/forecast-error.ts";
import type { EventRecord, Store } from "./store/store.ts";

/** Everything the coordinator records as having happened, `noun:verb` in the past, with its data. */
type EventData = {
  /** A host redeemed its token and got its secret. */
  "agent:joined": { readonly address: string; readonly agentVersion: string };
  "agent:connected": {
    readonly address: string;
    readonly agentVersion: string;
    readonly instanceId: string;
  };
  "agent:lost": { readonly reason: string };
  /** Away for longer than the limit: also an alert. */
  "agent:away": { readonly awayMs: number };
  "agent:returned": { readonly awayMs: number };
  /** Wrong secret, token, protocol, or a second agent for a node. */
  "agent:refused": { readonly address: string; readonly reason: string };
  "agent:misspoke": { readonly reason: string };
  /** A watched file, a guard rule or a slot's budget, as the agent told it. */
  "host:reported": {
    readonly kind: string;
    readonly cause: string;
    readonly severity: string;
    readonly summary: string;
    readonly detail: string;
  };
  /** A pool has lost its primary, and was answered. */
  "failover:asked": FailoverAnswer & { readonly lost: string };
  "alert:opened": AlertData;
  /** It stands, and is another one to look at: its detail or severity. */
  "alert:changed": AlertData;
  "alert:acknowledged": AlertData & { readonly by: string; readonly note: string | null };
  /** It was acknowledged, and there is something new. */
  "alert:reopened": AlertData;
  "alert:resolved": AlertData;
  "mute:begun": {
    readonly pattern: string;
    readonly until: number;
    readonly by: string;
    readonly note: string | null;
  };
  "mute:ended": { readonly pattern: string; readonly by: string };
  /** The first time in a row; it is tried again. */
  "sink:failed": { readonly sink: string; readonly because: string };
  "sink:recovered": { readonly sink: string; readonly failures: number };
  /** Changes of alerts that it will not hear of. */
  "sink:gave-up": { readonly sink: string; readonly count: number; readonly because: string };
  /** An operator said that its cause is gone. */
  "alert:closed": {
    readonly id: number;
    readonly cause: string;
    readonly summary: string;
    readonly by: string;
  };
  "baseline:accepted": {
    readonly path: string;
    readonly hash: string | null;
    readonly why: string;
  };
  "operation:created": { readonly kind: string; readonly subject: string; readonly by: string };
  "operation:moved": {
    readonly from: string;
    readonly event: string;
    readonly to: string;
    readonly failure: FailureRecord | null;
  };
  /** How right the forecast of the copy was. */
  "forecast:judged": ForecastError;
  "step:started": { readonly step: string; readonly phase: string; readonly attempt: number };
  "step:done": { readonly step: string; readonly phase: string; readonly attempt: number };
  /** `decision` is the rule that says what happens next. */
  "step:failed": {
    readonly step: string;
    readonly phase: string;
    readonly attempt: number;
    readonly failure: FailureRecord;
    readonly decision: string;
  };
};
type EventKind = keyof EventData;

type AlertData = {
  readonly id: number;
  readonly cause: string;
  readonly severity: "info" | "warning" | "critical";
  readonly summary: string;
};

type About = { readonly node?: string | null; readonly operationId?: string | null };
export type Events = {
  emit<K extends EventKind>(kind: K, about: About, data: EventData[K]): void;
};

/**
 * Writes each event into the journal and says it in the log: the one place where log lines are made. An event
 * that can't be written (disk full) harms nobody: operations journal their own states, and say so themselves.
 */
export function createEvents(store: Pick<Store, "addEvent">, log: Log, clock: Clock): Events {
  return {
    emit: (kind, { node = null, operationId = null }, data) => {
      try {
        store.addEvent({ at: clock.now(), kind, node, operationId, data });
      } catch (error) {
        log.error({ err: error, event: kind }, "an event could not be journaled");
      }
      const { level, line } = logLines[kind];
      const fields = { event: kind, node, operation: operationId, data };
      log[typeof level === "function" ? level(data) : level](fields, line(data, node ?? "?"));
    },
  };
}

type Level = "error" | "warn" | "info" | "debug";
type LogLine<K extends EventKind> = {
  readonly level: Level | ((data: EventData[K]) => Level);
  readonly line: (data: EventData[K], node: string) => string;
};

const alertLevel = ({ severity }: AlertData): Level =>
  severity === "critical" ? "error" : severity === "warning" ? "warn" : "info";

const logLines: { readonly [K in EventKind]: LogLine<K> } = {
  "agent:joined": { level: "info", line: (d, node) => `${node} joined from ${d.address}` },
  "agent:connected": {
    level: "info",
    line: (d, node) => `the agent of ${node} is connected from ${d.address} (${d.agentVersion})`,
  },
  "agent:lost": { level: "warn", line: (d, node) => `the agent of ${node} is gone: ${d.reason}` },
  "agent:away": {
    level: "error",
    line: (d, node) => `the agent of ${node} has been away for ${Math.round(d.awayMs / 1000)} s`,
  },
  "agent:returned": {
    level: "info",
    line: (d, node) => `the agent of ${node} is back after ${Math.round(d.awayMs / 1000)} s`,
  },
  "agent:refused": {
    level: "warn",
    line: (d) => `an agent at ${d.address} was refused: ${d.reason}`,
  },
  "agent:misspoke": {
    level: "warn",
    line: (d, node) => `the agent of ${node} sent a bad message: ${d.reason}`,
  },
  "host:reported": { level: "info", line: (d, node) => `${node}: ${d.summary}` },
  "failover:asked": {
    level: (d) => (d.outcome === "waits" ? "error" : "warn"),
    line: (d) => `a pool has lost ${d.lost}: ${d.outcome} ${d.primary ?? ""} (${d.because})`,
  },
  "alert:opened": { level: alertLevel, line: (d) => `alert ${d.id} (${d.severity}): ${d.summary}` },
  "alert:changed": {
    level: alertLevel,
    line: (d) => `alert ${d.id} (${d.severity}) has changed: ${d.summary}`,
  },
  "alert:acknowledged": {
    level: "info",
    line: (d) => `${d.by} looks after alert ${d.id}: ${d.summary}`,
  },
  "alert:reopened": {
    level: alertLevel,
    line: (d) => `alert ${d.id} (${d.severity}) is open again: ${d.summary}`,
  },
  "alert:resolved": { level: "info", line: (d) => `alert ${d.id} is over: ${d.summary}` },
  "mute:begun": {
    level: "info",
    line: (d) => `${d.by} mutes ${d.pattern} until ${new Date(d.until).toISOString()}`,
  },
  "mute:ended": { level: "info", line: (d) => `${d.pattern} is not muted any more (${d.by})` },
  "sink:failed": { level: "warn", line: (d) => `sink ${d.sink}: ${d.because}` },
  "sink:recovered": {
    level: "info",
    line: (d) => `sink ${d.sink} takes alerts again after ${d.failures} failed attempts`,
  },
  "sink:gave-up": {
    level: "error",
    line: (d) => `sink ${d.sink} will not hear of ${d.count} changes of alerts: ${d.because}`,
  },
  "alert:closed": { level: "info", line: (d) => `${d.by} closed: ${d.summary}` },
  "baseline:accepted": {
    level: "debug",
    line: (d, node) => `${d.path} on ${node} is accepted (${d.why})`,
  },
  "operation:created": {
    level: "info",
    line: (d) => `${d.kind} of ${d.subject} was asked for by ${d.by}`,
  },
  "operation:moved": {
    level: "info",
    line: (d) => `the operation is ${d.to}${d.failure === null ? "" : `: ${d.failure.message}`}`,
  },
  "forecast:judged": {
    level: "info",
    line: (d) =>
      `the copy took ${Math.round(d.secondsTaken)} s, ${Math.round(d.secondsForecast)} s were forecast`,
  },
  "step:started": { level: "info", line: (d) => `${d.step}: ${d.phase} ${d.attempt} begins` },
  "step:done": { level: "info", line: (d) => `${d.step}: ${d.phase} is done` },
  "step:failed": {
    level: "warn",
    line: (d) => `${d.step}: ${d.phase} ${d.attempt} failed (${d.decision}): ${d.failure.message}`,
  },
};

/** An event as the log says it; of a kind that this version does not know, its data. */
export function eventSentence({ kind, node, data }: EventRecord): string {
  const known = Object.entries(logLines).find(([name]) => name === kind)?.[1];
  if (known === undefined) return JSON.stringify(data);
  try {
    // The kind's own data, as emit has taken it; another version's may have another shape.
    return known.line(data as never, node ?? "?");
  } catch {
    return JSON.stringify(data);
  }
}
