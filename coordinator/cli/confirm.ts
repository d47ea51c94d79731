import { Failure } from "#shared/errors.ts";
import type { CliContext } from "./context.ts";

/**
 * Asks for the subject to be typed. `otherwise`: what to do where nobody can be asked.
 * @throws Failure USAGE where it is not typed, or nobody can be asked; INTERRUPTED
 */
export async function confirm(
  context: CliContext,
  subject: string,
  otherwise = "repeat with --yes, or with --dry-run to see the plan only",
): Promise<void> {
  const answer = await context.ask(`Type ${subject} to begin (anything else stops here): `);
  if (context.interrupted.aborted) {
    throw new Failure("INTERRUPTED", "Interrupted; nothing was changed.");
  }
  if (answer === null) {
    throw new Failure("USAGE", "There is no terminal to confirm on; nothing was changed.", {
      hint: otherwise,
    });
  }
  if (answer.trim() !== subject) {
    throw new Failure("USAGE", `"${answer.trim()}" is not ${subject}; nothing was changed.`, {
      hint: `repeat it and type ${subject}, or add --yes`,
    });
  }
}
