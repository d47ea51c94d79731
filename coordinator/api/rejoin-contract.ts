import * as z from "zod";
import { Name } from "#shared/domain/names.ts";
import { PlanDigest } from "../operations/plan-digest.ts";
import { RequestedBy } from "./contract.ts";

/** POST /api/clusters/:name/rebuild, /api/clusters/:name/rejoin   RebuildRequest → AddNodeAnswer */
export const RebuildRequest = RequestedBy.extend({
  node: Name,
  dryRun: z.boolean(),
  plan: PlanDigest.nullable().default(null),
});
export type RebuildRequest = z.infer<typeof RebuildRequest>;
