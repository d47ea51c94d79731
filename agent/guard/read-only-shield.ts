import { ownDialect } from "../steps/own-dialect.ts";
import { text } from "../steps/row-values.ts";
import type { GuardStepContext } from "./steps/step.ts";

/** From its next start on this server takes no write of a client that does not insist; kept over a crash of anybody. */
export async function putShield(context: GuardStepContext): Promise<void> {
  const { databases, mark, clock } = context;
  const settings = await databases.own.query((await ownDialect(context)).runningSettings);
  const row = settings.find((setting) => text(setting, "name") === "default_transaction_read_only");
  // A person's own, which is to stay; one of our role alone shields from nobody else.
  const isOfAll = row !== undefined && forAll.has(text(row, "source"));
  if (isOfAll && text(row, "value") === "on") return;
  await mark({ shieldedAt: clock.now() });
  await databases.own.query("ALTER SYSTEM SET default_transaction_read_only = on");
}

/** Of a setting's `source` (PostgreSQL docs, pg_settings). */
const forAll: ReadonlySet<string> = new Set(["configuration file", "command line"]);

/** Only ours. */
export async function liftShield(context: GuardStepContext): Promise<void> {
  if (context.guardMarks.current().shieldedAt === null) return;
  await context.databases.own.query("ALTER SYSTEM RESET default_transaction_read_only");
  await context.databases.own.query((await ownDialect(context)).reload);
  await context.mark({ shieldedAt: null });
}
