import * as z from "zod";
import { PlanDigest } from "../operations/plan-digest.ts";
import { RequestedBy } from "./contract.ts";

/**
 * POST /api/clusters/:name/stop       ClusterRunRequest → AddNodeAnswer
 * POST /api/clusters/:name/start      ClusterRunRequest → AddNodeAnswer
 * POST /api/clusters/:name/restart    ClusterRunRequest → AddNodeAnswer
 * POST /api/clusters/:name/rolling    ClusterRunRequest → AddNodeAnswer
 * GET  /api/clusters/:name/programs   ProgramStatus[], as the agents see them now
 */
export const ClusterRunRequest = RequestedBy.extend({
  dryRun: z.boolean(),
  plan: PlanDigest.nullable().default(null),
});
export type ClusterRunRequest = z.infer<typeof ClusterRunRequest>;

export type ProgramStatus = {
  readonly node: string;
  readonly ip: string;
  /** As the vendor's table names it: kingbasecluster, kingbase; pgpool, postgres. */
  readonly program: string;
  /** unknown: its agent is away. */
  readonly status: "active" | "inactive" | "unknown";
};
