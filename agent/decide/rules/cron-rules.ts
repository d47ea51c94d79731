import { activeVendorLines } from "../vendor-lines.ts";
import type { Rule } from "./rule.ts";

/** Who else acts on this host. */
export const cronRules: readonly Rule[] = [
  {
    id: "vendor-cron-line-active",
    because: "the vendor's cron check is in charge on this node and acts by itself",
    severity: "info",
    looks: 1,
    class: "role",
    when: ({ facts: { files } }) => {
      const active = activeVendorLines(files);
      return active.length === 0 ? null : active.join("; ");
    },
    next: "nothing before a takeover: the vendor's checks are in charge here",
  },
];
