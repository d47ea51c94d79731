import type { FindingRule } from "./finding-rule.ts";
import { frontFindings } from "./front-findings.ts";
import { nodeFindings } from "./node-findings.ts";
import { replicationFindings } from "./replication-findings.ts";

/** The table of what can be wrong with a cluster; findings of one weight stand in its order. */
export const findingRules: readonly FindingRule[] = [
  ...nodeFindings,
  ...replicationFindings,
  ...frontFindings,
];
