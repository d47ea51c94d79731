import * as z from "zod";
import { Name, OperationId } from "./names.ts";
import type { FailureCode } from "../errors.ts";

export const operationStates = [
  "planned",
  "running",
  "paused",
  "rolling-back",
  "succeeded",
  "rolled-back",
  "needs-attention",
  "cancelled",
] as const;
export const OperationState = z.enum(operationStates);
export type OperationState = z.infer<typeof OperationState>;

export const operationEvents = [
  "start",
  "all-steps-done",
  "step-failed",
  "resume",
  "abort",
  "undone",
  "undo-failed",
  "past-return",
  "leave",
] as const;
export type OperationEvent = (typeof operationEvents)[number];

export type Transition = {
  readonly from: OperationState;
  readonly event: OperationEvent;
  readonly to: OperationState;
  readonly comment: string;
};

/** What is not in this table is refused. */
export const transitions: readonly Transition[] = [
  { from: "planned", event: "start", to: "running", comment: "The runner takes it up." },
  { from: "planned", event: "abort", to: "cancelled", comment: "Nothing was touched yet." },
  { from: "running", event: "all-steps-done", to: "succeeded", comment: "Every step verified." },
  { from: "running", event: "step-failed", to: "paused", comment: "Retries are used up." },
  { from: "running", event: "abort", to: "rolling-back", comment: "An operator, or --on-failure." },
  { from: "paused", event: "resume", to: "running", comment: "From the first unfinished step." },
  { from: "paused", event: "abort", to: "rolling-back", comment: "Undo in reverse order." },
  {
    from: "paused",
    event: "leave",
    to: "rolled-back",
    comment: "Held since a restore of the journal: an operator takes what it made upon himself.",
  },
  { from: "rolling-back", event: "undone", to: "rolled-back", comment: "Nothing is left behind." },
  {
    from: "rolling-back",
    event: "undo-failed",
    to: "needs-attention",
    comment: "Names what is left.",
  },
  {
    from: "rolling-back",
    event: "past-return",
    to: "running",
    comment: "Another node was told to lead meanwhile: it only goes on.",
  },
  { from: "needs-attention", event: "abort", to: "rolling-back", comment: "Undo is tried again." },
  {
    from: "needs-attention",
    event: "leave",
    to: "rolled-back",
    comment: "A host is gone for good: an operator takes what is left upon himself.",
  },
];

export function nextState(from: OperationState, event: OperationEvent): OperationState | null {
  return transitions.find((t) => t.from === from && t.event === event)?.to ?? null;
}

export const terminalStates: ReadonlySet<OperationState> = new Set([
  "succeeded",
  "rolled-back",
  "cancelled",
]);

export const StepState = z.enum([
  "pending",
  "started",
  "done",
  "failed",
  "undoing",
  "undone",
  "undo-failed",
]);
export type StepState = z.infer<typeof StepState>;

/** A failure as it is journaled and sent: plain data, no secret. */
export const FailureRecord = z.strictObject({
  code: z.string().transform((code) => code as FailureCode), // journaled codes are ours
  message: z.string(),
  hint: z.string().nullable(),
  evidence: z.array(z.string()),
  retryable: z.boolean(),
});
export type FailureRecord = z.infer<typeof FailureRecord>;

export const OperationKind = z.enum([
  "add-node",
  "pool-prepare",
  "revert-file",
  "guard-takeover",
  "guard-handback",
  "switchover",
  "failover",
  "rebuild-node",
  "rejoin-node",
  "cluster-stop",
  "cluster-start",
  "cluster-restart",
  "remove-node",
  "drill",
]);
export type OperationKind = z.infer<typeof OperationKind>;

export const OperationHeader = z.strictObject({
  id: OperationId,
  kind: OperationKind,
  cluster: Name,
  /** The node that the operation is about. */
  subject: Name,
  requestedBy: z.string(),
  requestedAt: z.number(),
});
export type OperationHeader = z.infer<typeof OperationHeader>;
