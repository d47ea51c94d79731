import * as z from "zod";
import { RebuildRequest } from "./rejoin-contract.ts";

/** POST /api/clusters/:name/remove   RemoveRequest → AddNodeAnswer */
export const RemoveRequest = RebuildRequest.extend({
  /** The data stays where it is, unless this is asked for. */
  deleteData: z.boolean(),
  /** The node's host is away for good: what would be done there is left out. */
  gone: z.boolean(),
});
export type RemoveRequest = z.infer<typeof RemoveRequest>;
