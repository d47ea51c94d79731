import type { Acts } from "./acts.ts";
import { databaseActs } from "./database-acts.ts";
import { fenceActs } from "./fence-acts.ts";
import { poolActs } from "./pool-acts.ts";
import { roleActs } from "./role-acts.ts";
import { syncActs } from "./sync-acts.ts";
import { vipActs } from "./vip-acts.ts";

/** Where each row that acts does so: the page says what it does there. */
export const acts: Acts = {
  ...databaseActs,
  ...fenceActs,
  ...poolActs,
  ...roleActs,
  ...syncActs,
  ...vipActs,
};
