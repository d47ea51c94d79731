import * as z from "zod";
import { Name } from "#shared/domain/names.ts";
import { PlanDigest } from "../operations/plan-digest.ts";
import { RequestedBy } from "./contract.ts";

/** POST /api/clusters/:name/drill   DrillRequest → AddNodeAnswer */
export const DrillRequest = RequestedBy.extend({
  node: Name,
  /** `cascade`: the node is the one that is to take over when every other standby, then the primary, was stopped. */
  scenario: z.enum(["node", "cascade"]).default("node"),
  kind: z.enum(["stop", "kill"]),
  restore: z.boolean(),
  /** A crash is wanted although commits wait for no standby. */
  acceptLoss: z.boolean(),
  dryRun: z.boolean(),
  plan: PlanDigest.nullable().default(null),
});
export type DrillRequest = z.infer<typeof DrillRequest>;
