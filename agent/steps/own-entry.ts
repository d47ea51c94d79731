import type * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";

/** The facts of a ledger entry that this operation wrote; null where there is none, or another operation's. */
export async function ownFacts<T>(
  context: StepContext,
  key: string,
  schema: z.ZodType<T>,
): Promise<T | null> {
  const entry = await context.ledger.get(key);
  if (entry === null || entry.operationId !== context.operationId) return null;
  const parsed = schema.safeParse(entry.facts);
  if (parsed.success) return parsed.data;
  throw new Failure("STORE_UNUSABLE", `the ledger's entry ${key} can't be understood`, {
    hint: "It was written by another version of the agent. Look at what it names, then remove the entry.",
    evidence: [parsed.error.issues[0]?.message ?? ""],
  });
}

/** Notes (fsynced) what is about to be made, or what is known of it by now. */
export async function noteOwn(
  context: StepContext,
  key: string,
  facts: Readonly<Record<string, unknown>>,
): Promise<void> {
  await context.ledger.put(key, {
    operationId: context.operationId,
    at: context.clock.now(),
    facts,
  });
  // Noted, not yet made: the instant that every step's undo must bear.
  crashPoint("step:noted", key);
}
