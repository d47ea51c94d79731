import * as z from "zod";
import { Name } from "#shared/domain/names.ts";
import { PlanDigest } from "../operations/plan-digest.ts";
import { RequestedBy } from "./contract.ts";

/** POST /api/clusters/:name/failover   FailoverRequest → AddNodeAnswer */
export const FailoverRequest = RequestedBy.extend({
  to: Name,
  /** A person's word, in place of the proof. */
  force: z.literal(true),
  dryRun: z.boolean(),
  plan: PlanDigest.nullable().default(null),
});
export type FailoverRequest = z.infer<typeof FailoverRequest>;
