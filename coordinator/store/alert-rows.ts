import * as z from "zod";
import { severities } from "../fleet/severity.ts";

const AlertState = z.enum(["open", "acknowledged", "resolved"]);
/** Without its texts. */
export const ChangedRow = z.object({
  revision: z.number(),
  cause: z.string(),
  severity: z.enum(severities),
  state: AlertState,
});
/** An alert with its last change; whether it is muted stands elsewhere. */
export const AlertRow = z
  .object({
    id: z.number(),
    cause: z.string(),
    severity: z.enum(severities),
    node: z.string().nullable(),
    rule: z.string().nullable(),
    file: z.string().nullable(),
    line: z.number().nullable(),
    summary: z.string(),
    detail: z.string(),
    fix: z.string().nullable(),
    who: z.string().nullable(),
    state: AlertState,
    first_seen_at: z.number(),
    last_seen_at: z.number(),
    count: z.number(),
    acknowledged_at: z.number().nullable(),
    acknowledged_by: z.string().nullable(),
    note: z.string().nullable(),
    revision: z.number(),
    change: z.enum(["opened", "changed", "acknowledged", "reopened", "resolved", "unmuted"]),
    changed_at: z.number(),
  })
  .transform((row) => ({
    revision: row.revision,
    kind: row.change,
    changedAt: row.changed_at,
    // The time tells apart what a restored journal counts a second time.
    eventId: `${row.id}-${row.revision}-${row.changed_at}`,
    alert: {
      id: row.id,
      cause: row.cause,
      severity: row.severity,
      node: row.node,
      rule: row.rule,
      file: row.file,
      line: row.line,
      summary: row.summary,
      detail: row.detail,
      fix: row.fix,
      who: row.who,
      state: row.state,
      firstSeenAt: row.first_seen_at,
      lastSeenAt: row.last_seen_at,
      count: row.count,
      acknowledgedAt: row.acknowledged_at,
      acknowledgedBy: row.acknowledged_by,
      note: row.note,
    },
  }));
