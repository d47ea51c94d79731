import * as z from "zod";
import { matchesCause } from "../alerts/cause-pattern.ts";
import type { Connection } from "./connection.ts";
import type { MuteRecord } from "./store.ts";

/** The mutes that are in force: one that has ended is taken out by whoever watches the clock. */
export function readMutes(db: Connection): readonly MuteRecord[] {
  return db.all("SELECT * FROM mute ORDER BY id").map((row) => MuteRow.parse(row));
}

/** One a pattern: a second one of the same pattern replaces the first, but hides from where that one began. */
export function addMute(db: Connection, mute: Omit<MuteRecord, "id">): MuteRecord {
  const row = db.get(
    `INSERT INTO mute (pattern, until, muted_at, muted_by, note) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (pattern) DO UPDATE SET until = excluded.until, muted_by = excluded.muted_by,
       note = excluded.note RETURNING *`,
    [mute.pattern, mute.until, mute.mutedAt, mute.mutedBy, mute.note],
  );
  return MuteRow.parse(row);
}

/**
 * What is told when a mute ends: what stands (whatever its times say: clocks are set), and the end of what had been told
 * before it; not what came and went under it.
 */
export function isHiddenBy(
  mute: MuteRecord,
  { cause, state, firstSeenAt, changedAt }: HideableAlert,
): boolean {
  if (!matchesCause(mute.pattern, cause)) return false;
  return state !== "resolved" || (changedAt >= mute.mutedAt && firstSeenAt < mute.mutedAt);
}

type HideableAlert = {
  readonly cause: string;
  readonly state: string;
  readonly firstSeenAt: number;
  readonly changedAt: number;
};

const MuteRow = z
  .object({
    id: z.number(),
    pattern: z.string(),
    until: z.number(),
    muted_at: z.number(),
    muted_by: z.string(),
    note: z.string().nullable(),
  })
  .transform((row): MuteRecord => ({
    id: row.id,
    pattern: row.pattern,
    until: row.until,
    mutedAt: row.muted_at,
    mutedBy: row.muted_by,
    note: row.note,
  }));
