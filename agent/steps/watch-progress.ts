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
};

/**
 * Looks again and again until it is done. Gives up only after `stallMs` without any change of the token:
 * slow is not broken. @throws Failure STALLED (retryable)
 */
export async function watchProgress<T>(
  context: Pick<StepContext, "clock" | "signal">,
  { stallMs, everyMs, what }: ProgressLimits,
  look: () => Promise<Look<T>>,
): Promise<T> {
  const { clock, signal } = context;
  let token: string | null = null;
  let changedAt = clock.now();
  for (;;) {
    signal.throwIfAborted();
    const seen = await look();
    if (seen.state === "done") return seen.value;
    const now = clock.now();
    if (seen.token !== token) {
      token = seen.token;
      changedAt = now;
    } else if (now - changedAt >= stallMs) {
      const seconds = Math.round((now - changedAt) / 1000);
      throw new Failure("STALLED", `${what} made no progress for ${seconds} s: ${seen.missing}`, {
        retryable: true,
        evidence: [seen.token],
      });
    }
    await clock.sleep(everyMs, signal);
  }
}
