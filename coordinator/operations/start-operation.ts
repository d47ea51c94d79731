import type { OperationKind } from "#shared/domain/operation.ts";
import type { OperationOptions, OperationRecord } from "../store/store.ts";
import type { Plan } from "./plan.ts";

export type NewOperation = OperationOptions & {
  readonly kind: OperationKind;
  readonly cluster: string;
  readonly subject: string;
  readonly requestedBy: string;
  readonly plan: Plan;
  /** The operation that asks for it as a part of its own, and holds the cluster. */
  readonly under?: string;
};

/** Journals the operation under a new id, takes the cluster's lease and hands it to the runner. @throws Failure OPERATION_CONFLICT */
export type StartOperation = (operation: NewOperation) => OperationRecord;
