import * as z from "zod";

/**
 * A file that our own edit changed: it becomes the accepted baseline, but where it was not made `from` what is accepted.
 * There somebody else's edit is still to be looked at.
 */
export const ChangedFile = z.strictObject({
  path: z.string(),
  hash: z.string().nullable(),
  from: z.string().nullable().optional(),
});
export type ChangedFile = z.infer<typeof ChangedFile>;
