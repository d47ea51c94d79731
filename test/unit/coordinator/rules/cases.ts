import { accessCases } from "./cases/access-cases.ts";
import { cronCases } from "./cases/cron-cases.ts";
import { haModuleCases } from "./cases/ha-module-cases.ts";
import { poolCases } from "./cases/pool-cases.ts";
import { replicationCases } from "./cases/replication-cases.ts";
import { serverCases } from "./cases/server-cases.ts";
import type { RuleCase } from "./cases/rule-case.ts";

export const ruleCases: readonly RuleCase[] = [
  ...replicationCases,
  ...serverCases,
  ...accessCases,
  ...poolCases,
  ...haModuleCases,
  ...cronCases,
];
