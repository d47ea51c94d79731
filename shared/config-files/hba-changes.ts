import { type ConfigChange, shownValue } from "./config-change.ts";
import { type HbaConf, type HbaRule, hbaRuleKey } from "./hba.ts";
import type { HbaToken } from "./hba-fields.ts";
import { maskSecrets } from "./mask-secrets.ts";
import { sequenceChanges, type SequenceItem } from "./sequence-changes.ts";

/** Rules that came, went, moved or got another method. The first one that matches a connection decides. */
export function hbaChanges(before: HbaConf, after: HbaConf): readonly ConfigChange[] {
  return sequenceChanges(itemsOf(before), itemsOf(after), "counts");
}

function itemsOf(conf: HbaConf): readonly SequenceItem[] {
  const includes = conf.includes.map(({ line, text }) => {
    const label = shownValue(text);
    return { key: text, slot: label, label, value: label, line };
  });
  const rules = conf.rules.map((rule) => {
    const slot = shownValue(`rule ${printMatcher(rule)}`);
    const how = maskSecrets("hba", [rule.method, ...rule.options].join(" "));
    const value = shownValue(how);
    return { key: hbaRuleKey(rule), slot, label: `${slot} ${value}`, value, line: rule.line };
  });
  return [...rules, ...includes].toSorted((a, b) => a.line - b.line);
}

/** Whom a rule is about, without how it lets them in. */
function printMatcher({ type, databases, users, address }: HbaRule): string {
  const place =
    address === null
      ? []
      : [
          address.kind === "range"
            ? address.text
            : address.kind === "name"
              ? address.name
              : address.kind,
        ];
  return [type, printNames(databases), printNames(users), ...place].join(" ");
}

function printNames(tokens: readonly HbaToken[]): string {
  return tokens
    .map(({ value, quoted }) => (quoted ? `"${value.replaceAll('"', '""')}"` : value))
    .join(",");
}
