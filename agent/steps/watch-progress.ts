import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";

export type Look<T> =
  | { readonly state: "done"; readonly value: T }
  /** `token` is anything that changes while there is progress; `missing` says what is not yet there. */
  | { readonly state: "waiting"; readonly token: string; readonly missing: string };

export type ProgressLimits = {
  readonly stallMs: number;
  readonly everyMs: number;
  /** What is awaited, as it stands in "WHAT made no progress for 30 s: MISSING". */
  readonly what: string;
  /** What to look at, and what happens then. */
  readonly hint?: string;
};

/**
 * Looks again and again until it is done. Gives up only after `stallMs` without any change of the token:
 * slow is not broken. Nor is it a stall when this process itself stood still (SIGSTOP, a paused machine): between two
 * looks at most a quarter of the limit counts. @throws Failure STALLED (retryable)
 */
export async function watchProgress<T>(
  context: Pick<StepContext, "clock" | "signal">,
  limits: ProgressLimits,
  look: () => Promise<Look<T>>,
): Promise<T> {
  const { clock, signal } = context;
  const { stallMs, everyMs } = limits;
  let token: string | null = null;
  let lookedAt = clock.elapsedMs();
  let stillMs = 0;
  for (;;) {
    signal.throwIfAborted();
    const seen = await within(Math.max(stallMs, leastAnswerMs), signal, look);
    if (seen === "no answer") throw stalled(limits, stallMs, seen, []);
    if (seen.state === "done") return seen.value;
    const now = clock.elapsedMs();
    stillMs += Math.min(now - lookedAt, Math.max(stallMs / 4, 2 * everyMs));
    lookedAt = now;
    if (seen.token !== token) {
      token = seen.token;
      stillMs = 0;
    } else if (stillMs >= stallMs) {
      throw stalled(limits, stillMs, seen.missing, [seen.token]);
    }
    await clock.sleep(everyMs, signal);
  }
}

/** A short stall limit says how long nothing may move, not how long a busy server may take for an answer. */
const leastAnswerMs = 10_000;

/**
 * A look asks somebody, who may be cut off without a word: then neither it nor what it asked ever ends by itself.
 * Whoever owns the session that it hangs on closes it.
 */
async function within<T>(
  limitMs: number,
  signal: AbortSignal,
  look: () => Promise<T>,
): Promise<T | "no answer"> {
  let give: () => void = () => undefined;
  const late = new Promise<"no answer">((resolve, reject) => {
    let ticks = 0;
    // However late, a timer of a process that stood still rings once: then the answer has its chance first.
    const timer = setInterval(() => {
      ticks += 1;
      if (ticks >= 4) resolve("no answer");
    }, limitMs / 4);
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort);
    give = () => {
      clearInterval(timer);
      signal.removeEventListener("abort", onAbort);
    };
  });
  try {
    return await Promise.race([look(), late]);
  } finally {
    give();
  }
}

function stalled(
  { what, hint }: ProgressLimits,
  forMs: number,
  missing: string,
  evidence: readonly string[],
): Failure {
  const message = `${what} made no progress for ${Math.round(forMs / 1000)} s: ${missing}`;
  const details = { retryable: true, evidence };
  return new Failure("STALLED", message, hint === undefined ? details : { ...details, hint });
}
