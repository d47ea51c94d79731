import type { Dialect } from "#shared/products/product.ts";
import type { StepContext } from "../ports.ts";
import { findSlot } from "./slots.ts";
import { sqlStateOf } from "./sql-state.ts";
import { watchProgress } from "./watch-progress.ts";

/** SQLSTATE of "replication slot is active" (PostgreSQL docs, error codes). */
const objectInUse = "55006";
/** "replication slot does not exist". */
const undefinedObject = "42704";

export type SlotToDrop = {
  readonly name: string;
  readonly dialect: Dialect;
  /** Throws where the slot that is there now is not ours: someone may make another one between two tries. */
  readonly assertOurs: () => Promise<void>;
  /** For how long whoever uses it may keep it. */
  readonly stallMs: number;
};

/** A slot in use can't be dropped: its walsender goes first. A receiver comes back at once, so both are repeated. */
export async function dropSlot(
  { name, dialect, assertOurs, stallMs }: SlotToDrop,
  context: Pick<StepContext, "databases" | "clock" | "signal">,
): Promise<void> {
  const { own } = context.databases;
  await watchProgress(
    context,
    { stallMs, everyMs: 50, what: `dropping slot ${name}` },
    async () => {
      const found = await findSlot(own, dialect, name);
      if (found === null) return { state: "done", value: null };
      await assertOurs();
      if (found.active) await own.query(dialect.terminateSlotHolder, [name]);
      try {
        await own.query(dialect.dropSlot, [name]);
        return { state: "done", value: null };
      } catch (error) {
        const state = sqlStateOf(error);
        if (state !== objectInUse && state !== undefinedObject) throw error;
        return { state: "waiting", token: "in use", missing: "it is in use" };
      }
    },
  );
}
