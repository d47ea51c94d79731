import * as z from "zod";
import {
  FailureRecord,
  OperationKind,
  OperationState,
  StepState,
} from "#shared/domain/operation.ts";
import type { Plan } from "../operations/plan.ts";
import type { OperationSummary } from "../api/contract.ts";
import type { OperationRecord, StepRecord } from "./store.ts";

const Json = z.string().transform((text): unknown => JSON.parse(text));
const StoredFailure = Json.pipe(FailureRecord).nullable();

/** Plans are written by this program under the same schema version: the outline is checked, not every argument. */
const StoredPlan = Json.pipe(
  z.looseObject({ declaration: z.looseObject({}), steps: z.array(z.looseObject({})) }),
).transform((plan) => plan as unknown as Plan); // see above

const Head = z.object({
  id: z.string(),
  kind: OperationKind,
  cluster: z.string(),
  subject: z.string(),
  requested_by: z.string(),
  requested_at: z.number(),
  on_failure: z.enum(["pause", "rollback"]),
  state: OperationState,
  started_at: z.number().nullable(),
  ended_at: z.number().nullable(),
  failure: StoredFailure,
  restores: z.number(),
});

const headOf = (row: z.infer<typeof Head>): Omit<OperationRecord, "steps" | "plan"> => ({
  id: row.id,
  kind: row.kind,
  cluster: row.cluster,
  subject: row.subject,
  requestedBy: row.requested_by,
  requestedAt: row.requested_at,
  onFailure: row.on_failure,
  state: row.state,
  startedAt: row.started_at,
  endedAt: row.ended_at,
  failure: row.failure,
  restores: row.restores,
});

export const OperationRow = Head.extend({ plan: StoredPlan }).transform(
  (row): Omit<OperationRecord, "steps"> => ({ ...headOf(row), plan: row.plan }),
);

export const SummaryRow = Head.extend({
  steps_done: z.number(),
  steps_planned: z.number(),
}).transform((row): OperationSummary => ({
  ...headOf(row),
  stepsDone: row.steps_done,
  stepsPlanned: row.steps_planned,
}));

export const StepRow = z
  .object({
    step_index: z.number(),
    state: StepState,
    attempt: z.number(),
    started_at: z.number().nullable(),
    ended_at: z.number().nullable(),
    evidence: Json.nullable(),
    failure: StoredFailure,
  })
  .transform((row): StepRecord => ({
    index: row.step_index,
    state: row.state,
    attempt: row.attempt,
    startedAt: row.started_at,
    endedAt: row.ended_at,
    evidence: row.evidence,
    failure: row.failure,
  }));
