import { ownDialect } from "../steps/own-dialect.ts";
import { text } from "../steps/row-values.ts";
import type { GuardStepContext } from "./steps/step.ts";

/** From its next start on this server takes no write of a client that does not insist; kept over a crash of anybody. */
export async function putShield({ databases, mark, clock }: GuardStepContext): Promise<void> {
  const [row] = await databases.own.query("SHOW default_transaction_read_only");
  // A person's own, which is to stay.
  if (row !== undefined && text(row, "default_transaction_read_only") === "on") return;
  await mark({ shieldedAt: clock.now() });
  await databases.own.query("ALTER SYSTEM SET default_transaction_read_only = on");
}

/** Only ours. */
export async function liftShield(context: GuardStepContext): Promise<void> {
  if (context.guardMarks.current().shieldedAt === null) return;
  await context.databases.own.query("ALTER SYSTEM RESET default_transaction_read_only");
  await context.databases.own.query((await ownDialect(context)).reload);
  await context.mark({ shieldedAt: null });
}
