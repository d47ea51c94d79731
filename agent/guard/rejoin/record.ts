import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { ledgerKey } from "../../steps/ledger-keys.ts";
import type { GuardStepContext } from "../steps/step.ts";

/** How far a rejoin is, on disk before each effect: a restarted agent goes on from here. */
const RejoinRecord = z.object({
  /**
   * kept: what the rewind will overwrite is in `files`. rewinding: the data directory may be half one server and half
   * another, and nothing may start on it. rewound: only our own files have to be put back.
   */
  stage: z.enum(["kept", "rewinding", "rewound"]),
  /** Of the data directory, before it was locked. */
  mode: z.int(),
  files: z.array(z.object({ path: z.string(), text: z.string(), mode: z.int() })),
  slots: z.array(z.string()),
});
export type RejoinRecord = z.infer<typeof RejoinRecord>;

export async function rejoinRecord(context: GuardStepContext): Promise<RejoinRecord | null> {
  const entry = await context.ledger.get(keyOf(context));
  if (entry === null) return null;
  const parsed = RejoinRecord.safeParse(entry.facts);
  if (parsed.success) return parsed.data;
  throw new Failure("STORE_UNUSABLE", `the ledger's entry ${keyOf(context)} can't be understood`, {
    hint: "It was written by another version of the agent; this node has to be copied anew.",
  });
}

export async function noteRejoin(record: RejoinRecord, context: GuardStepContext): Promise<void> {
  const { clock, decisionId, ledger } = context;
  await ledger.put(keyOf(context), { operationId: decisionId, at: clock.now(), facts: record });
  crashPoint("guard:rejoin-noted", record.stage);
}

export async function forgetRejoin(context: GuardStepContext): Promise<void> {
  await context.ledger.delete(keyOf(context));
}

function keyOf({ settings }: GuardStepContext): string {
  return ledgerKey.rejoin(settings.paths.dataDirectory);
}
