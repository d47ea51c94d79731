import * as z from "zod";
import { Name } from "#shared/domain/names.ts";
import { PlanDigest } from "../operations/plan-digest.ts";
import { RequestedBy } from "./contract.ts";

/** POST /api/clusters/:name/switchover   SwitchoverRequest → AddNodeAnswer */
export const SwitchoverRequest = RequestedBy.extend({
  to: Name,
  /** How far behind the target may be, in bytes; null: as the coordinator's settings say. */
  lagLimitBytes: z.number().nonnegative().nullable().default(null),
  dryRun: z.boolean(),
  plan: PlanDigest.nullable().default(null),
});
export type SwitchoverRequest = z.infer<typeof SwitchoverRequest>;
