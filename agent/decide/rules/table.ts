import { cronRules } from "./cron-rules.ts";
import { databaseRules } from "./database-rules.ts";
import { diskRules } from "./disk-rules.ts";
import { fenceRules } from "./fence-rules.ts";
import { poolRowRules } from "./pool-row-rules.ts";
import { poolRules } from "./pool-rules.ts";
import { roleRules } from "./role-rules.ts";
import type { Rule } from "./rule.ts";
import { syncRules } from "./sync-rules.ts";
import { vipRules } from "./vip-rules.ts";

/** Every row is looked at each time; the order is that of acting and of showing. Safety first. */
export const rules: readonly Rule[] = [
  ...vipRules,
  ...fenceRules,
  ...databaseRules,
  ...roleRules,
  ...syncRules,
  ...poolRules,
  ...poolRowRules,
  ...diskRules,
  ...cronRules,
];
