import type { AlertMessage } from "./alert-message.ts";
import type { SinkSettings } from "./sink-settings.ts";

/** How a sink took it: `HTTP 200`, `exit status 0`, and the first of what it answered. */
export type Told = { readonly status: string; readonly answer: string };

/**
 * Where alerts go. Each call ends within the sink's limit or at the signal.
 * Failure SINK_UNREACHABLE, SINK_REFUSED or CONFIG_INVALID; not retryable where it is this alert that it can't take.
 */
export type Sink = Pick<SinkSettings, "name" | "kind" | "minSeverity"> & {
  tell(message: AlertMessage, signal: AbortSignal): Promise<Told>;
  /** A robot that is asked more often is silent for a while. */
  readonly mostPerMinute: number | null;
  /** For a sink that forgets: it is told again of all that stands. */
  readonly repeat: {
    readonly everyMs: number;
    tell(messages: readonly AlertMessage[], signal: AbortSignal): Promise<Told>;
  } | null;
};
