import type { CommandResult } from "#shared/domain/commands.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import type { Session, StepContext } from "../ports.ts";

type Asking = {
  readonly connect: () => Promise<Session>;
  /** On the clock's `elapsedMs`. */
  readonly untilMs: number;
  /** A session is replaced after so many answers. */
  readonly perSession: number;
};
type Asked = {
  readonly felt: CommandResult<"run-load">["writes"];
  /** When the first answer came. */
  readonly firstAtMs: number;
};

const pauseMs = 5;
const pauseAfterFailureMs = 20;

/** One question after the other, as it goes. @throws Failure VERIFICATION_FAILED where none was ever answered */
export async function askForAWhile(
  ask: (session: Session) => Promise<unknown>,
  { connect, untilMs, perSession }: Asking,
  { clock, signal }: Pick<StepContext, "clock" | "signal">,
): Promise<Asked> {
  let answered = 0;
  let failed = 0;
  let longestGapMs = 0;
  let firstAtMs: number | null = null;
  let lastAtMs = 0;
  let problem: unknown = null;
  while (clock.elapsedMs() < untilMs) {
    try {
      await using session = await connect();
      for (let asked = 0; asked < perSession && clock.elapsedMs() < untilMs; asked += 1) {
        await ask(session);
        const now = clock.elapsedMs();
        answered += 1;
        if (firstAtMs === null) firstAtMs = now;
        else longestGapMs = Math.max(longestGapMs, now - lastAtMs);
        lastAtMs = now;
        await clock.sleep(pauseMs, signal);
      }
    } catch (error) {
      signal.throwIfAborted();
      failed += 1;
      problem = error;
      await clock.sleep(pauseAfterFailureMs, signal);
    }
  }
  if (firstAtMs === null) {
    throw new Failure("VERIFICATION_FAILED", `the pool answered nothing: ${asFailure(problem).message}`); // prettier-ignore
  }
  longestGapMs = Math.max(longestGapMs, clock.elapsedMs() - lastAtMs);
  return { felt: { answered, failed, longestGapMs }, firstAtMs };
}
