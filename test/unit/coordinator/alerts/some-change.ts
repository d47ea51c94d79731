import type { AlertMessage } from "#coordinator/alerts/alert-message.ts";
import type { AlertChange, AlertRecord } from "#coordinator/store/store.ts";
import { ofNoRule } from "../alert-builder.ts";

const at = Date.UTC(2026, 10, 22, 7, 11, 29);

/** A drift of a file, as it was opened. */
export function someMessage(
  alert: Partial<AlertRecord> = {},
  change: Partial<Omit<AlertChange, "alert">> = {},
): AlertMessage {
  return {
    isTest: false,
    now: at + 500,
    change: {
      kind: "opened",
      revision: 7,
      changedAt: at,
      eventId: `3-7-${at}`,
      ...change,
      alert: {
        ...ofNoRule,
        id: 3,
        cause: "node:srv127:file:/data/kingbase.conf",
        severity: "critical",
        node: "srv127",
        file: "/data/kingbase.conf",
        line: 12,
        summary: "/data/kingbase.conf differs from its accepted content",
        detail: "@@ -12 +12 @@\n-port = 54321\n+port = 54322\n",
        fix: "castellan drift show srv127 /data/kingbase.conf",
        who: "uid 1001 (kingbase)",
        state: "open",
        firstSeenAt: at,
        lastSeenAt: at,
        count: 1,
        ...alert,
      },
    },
  };
}
