import type { OperationRecord } from "#coordinator/store/store.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import type { Bed } from "./bed.ts";

export async function newestOperation({ api }: Bed): Promise<OperationRecord | null> {
  const [newest] = await api.get<readonly { readonly id: string }[]>("/operations");
  return newest === undefined ? null : api.get<OperationRecord>(`/operations/${newest.id}`);
}

/** Until it is in a state that does not go on by itself. Limited by standing still, not by the clock. */
export async function atRest(bed: Bed, id: string): Promise<OperationRecord> {
  for (let seen = ""; ;) {
    const moved = await waitFor(
      async () => {
        const operation = await bed.api.get<OperationRecord>(`/operations/${id}`);
        const now = JSON.stringify([operation.state, operation.steps]);
        return isAtRest(operation) || now !== seen ? { operation, now } : null;
      },
      { timeoutMs: 60_000, intervalMs: 50, what: `operation ${id} to move on` },
    );
    if (isAtRest(moved.operation)) return moved.operation;
    seen = moved.now;
  }
}

export function isAtRest({ state }: OperationRecord): boolean {
  return !["planned", "running", "rolling-back"].includes(state);
}
