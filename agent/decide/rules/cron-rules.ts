import { activeVendorLines } from "../vendor-lines.ts";
import type { Rule } from "./rule.ts";

/** Who else acts on this host. */
export const cronRules: readonly Rule[] = [
  {
    id: "vendor-check-back",
    because:
      "the vendor's check is at work on a node whose guard is in charge, so the guard holds still",
    severity: "critical",
    looks: 1,
    class: "role",
    when: ({ isToAct, vendorAtWork }) => (isToAct ? vendorAtWork : null),
    next: "castellan guard takeover comments the lines again; kingbase_monitor.sh start and restart enable them; a script that somebody began by hand is waited for",
  },
  {
    id: "vendor-cron-line-active",
    because: "the vendor's cron check is in charge on this node and acts by itself",
    severity: "info",
    looks: 1,
    class: "role",
    when: ({ facts: { files }, isToAct }) => {
      if (isToAct) return null;
      const active = activeVendorLines(files);
      return active.length === 0 ? null : active.join("; ");
    },
    next: "nothing before a takeover: the vendor's checks are in charge here",
  },
];
