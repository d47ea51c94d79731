import type { Dialect } from "#shared/products/product.ts";
import type { Session } from "../ports.ts";
import { flag, text, textOrNull } from "./row-values.ts";

export type Slot = {
  readonly name: string;
  readonly active: boolean;
  /** null while it holds back no WAL. */
  readonly restartLsn: string | null;
};

export async function findSlot(
  session: Pick<Session, "query">,
  dialect: Dialect,
  name: string,
): Promise<Slot | null> {
  const rows = await session.query(dialect.slots);
  const row = rows.find((candidate) => text(candidate, "name") === name);
  if (row === undefined) return null;
  return { name, active: flag(row, "active"), restartLsn: textOrNull(row, "restart_lsn") };
}
