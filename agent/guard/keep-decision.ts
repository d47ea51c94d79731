import type { Decision } from "#shared/domain/guard.ts";
import type { Ports } from "../ports.ts";

const keptWithinMs = 2_000;

/** Told at once. Answers whether it is on disk: one that hangs must hold back neither the looks nor what is done. */
export async function keepDecision(
  { clock, decisions, log }: Pick<Ports, "clock" | "decisions" | "log">,
  decision: Decision,
): Promise<boolean> {
  const isIn = new AbortController();
  const kept = decisions.add(decision).then(
    () => true,
    (error: unknown) => {
      log.error({ error, rule: decision.rule }, "A decision could not be kept on disk.");
      return false;
    },
  );
  const late = clock.sleep(keptWithinMs, isIn.signal).then(
    () => false,
    () => false,
  );
  return Promise.race([kept, late]).finally(() => isIn.abort());
}
