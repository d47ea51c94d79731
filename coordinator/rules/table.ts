import { accessRules } from "./access-rules.ts";
import { haModuleRules } from "./ha-module-rules.ts";
import { cronRules, poolRules } from "./pool-rules.ts";
import { replicationRules } from "./replication-rules.ts";
import type { Rule } from "./rule.ts";
import { serverRules } from "./server-rules.ts";

export type RuleTheme = { readonly title: string; readonly rules: readonly Rule[] };

/** What has to agree across the files, servers and hosts of a cluster, by theme. */
export const ruleThemes: readonly RuleTheme[] = [
  { title: "Replication", rules: replicationRules },
  { title: "The server's files", rules: serverRules },
  { title: "Access", rules: accessRules },
  { title: "Pools", rules: poolRules },
  { title: "HAmodule.conf", rules: haModuleRules },
  { title: "The vendor's checks", rules: cronRules },
];

export const ruleTable: readonly Rule[] = ruleThemes.flatMap(({ rules }) => rules);
