import { Failure } from "#shared/errors.ts";
import type { CliContext } from "./context.ts";

/** Asks for the subject to be typed. @throws Failure USAGE where it is not, or nobody can be asked */
export async function confirm(context: CliContext, subject: string): Promise<void> {
  const answer = await context.ask(`Type ${subject} to begin (anything else stops here): `);
  if (answer === null) {
    throw new Failure("USAGE", "There is no terminal to confirm on; nothing was changed.", {
      hint: "repeat with --yes, or with --dry-run to see the plan only",
    });
  }
  if (answer.trim() !== subject) {
    throw new Failure("USAGE", `"${answer.trim()}" is not ${subject}; nothing was changed.`, {
      hint: `repeat it and type ${subject}, or add --yes`,
    });
  }
}
