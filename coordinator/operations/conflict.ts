import { Failure } from "#shared/errors.ts";
import type { OperationRecord, Store } from "../store/store.ts";

/** @throws Failure OPERATION_CONFLICT naming the operation in progress and who started it. */
export function refuseConflict(store: Pick<Store, "leaseHolder">, cluster: string): void {
  const holder = store.leaseHolder(cluster);
  if (holder !== null) throw operationConflict(cluster, holder);
}

export function operationConflict(cluster: string, holder: OperationRecord): Failure {
  return new Failure(
    "OPERATION_CONFLICT",
    `${cluster} is held by ${holder.kind} ${holder.subject} (${holder.id}, ${holder.state}), started by ${holder.requestedBy}.`,
    {
      hint: `Wait for it ("castellan operation watch ${holder.id}"), or end it with "castellan operation abort ${holder.id}".`,
    },
  );
}
