import { parseCron } from "#shared/config-files/cron-lines.ts";
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
      const active = files
        .filter((file) => file.format === "cron" && file.maskedText !== null)
        .flatMap((file) =>
          Object.values(parseCron(file.maskedText ?? "", file.path).vendor)
            .flatMap(({ lines }) => lines)
            .filter((line) => line.hashes === 0)
            .map((line) => `${file.path}:${line.line} runs ${line.command}`),
        );
      return active.length === 0 ? null : active.join("; ");
    },
    next: "nothing before a takeover: the vendor's checks are in charge here",
  },
];
