import { all, append, guard, inFile } from "../edits.ts";
import type { RuleCase } from "./rule-case.ts";

export const cronCases: readonly RuleCase[] = [
  {
    rule: "vendor-cron-active",
    breaks: all(guard("srv129", "enforce"), inFile("srv129", "KINGBASECRON", "#*/1", "*/1")),
    keeps: all(guard("srv129", "observe"), inFile("srv129", "KINGBASECRON", "#*/1", "*/1")),
    says: /network_rewind\.sh runs by cron/,
    on: "srv129",
  },
  {
    rule: "vendor-cron-lines",
    breaks: append(
      "srv129",
      "KINGBASECRON",
      "*/1 * * * * kingbase  /elsewhere/network_rewind.sh\n",
    ),
    keeps: append("srv129", "KINGBASECRON", "0 3 * * * kingbase /site/backup.sh\n"),
    says: /network-rewind twice/,
    on: "srv129",
  },
];
