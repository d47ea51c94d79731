import { setTimeout as sleep } from "node:timers/promises";
import type { OperationUpdate } from "#coordinator/api/contract.ts";
import { createApiClient, type ApiClient } from "#coordinator/cli/client.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { Castellan } from "#test/harness/castellan.ts";

/** The newest operation as the coordinator last told it; looked at again and again through every outage. */
export type Progress = AsyncDisposable & {
  operation(): OperationRecord | null;
  /** The first operation for which it holds. Rejects with the signal's reason. */
  until(
    isThere: (operation: OperationRecord) => boolean,
    signal: AbortSignal,
  ): Promise<OperationRecord>;
};

export function followOperations(castellan: Castellan): Progress {
  const { coordinatorHost, stateDirectory } = castellan;
  const end = new AbortController();
  const listeners = new Set<(operation: OperationRecord) => void>();
  let newest: OperationRecord | null = null;
  const saw = (operation: OperationRecord): void => {
    newest = operation;
    for (const listener of [...listeners]) listener(operation);
  };
  const follow = async (): Promise<void> => {
    while (!end.signal.aborted) {
      try {
        // The socket's path is another one after a power loss.
        const client = createApiClient(coordinatorHost.path(`${stateDirectory}/api.sock`));
        await followNewest(client, saw, end.signal);
      } catch {
        // The coordinator is away, or about to be: that is what a walk is about.
      }
      await sleep(50, undefined, { signal: end.signal }).catch(() => undefined);
    }
  };
  const following = follow();
  return {
    operation: () => newest,
    until: (isThere, signal) =>
      new Promise((resolve, reject) => {
        const leave = (): void => {
          listeners.delete(look);
          signal.removeEventListener("abort", stop);
        };
        const look = (operation: OperationRecord): void => {
          if (!isThere(operation)) return;
          leave();
          resolve(operation);
        };
        const stop = (): void => {
          leave();
          reject(asError(signal.reason));
        };
        if (signal.aborted) return reject(asError(signal.reason));
        listeners.add(look);
        signal.addEventListener("abort", stop);
        if (newest !== null) look(newest);
      }),
    [Symbol.asyncDispose]: async () => {
      end.abort();
      await following;
    },
  };
}

async function followNewest(
  client: ApiClient,
  saw: (operation: OperationRecord) => void,
  signal: AbortSignal,
): Promise<void> {
  const [newest] = await client.get<readonly { readonly id: string }[]>("/operations");
  if (newest === undefined) return;
  const operation = await client.get<OperationRecord>(`/operations/${newest.id}`);
  saw(operation);
  // A stream that hangs (a frozen coordinator) goes on when its program does, or ends with it.
  for await (const update of client.watch<OperationUpdate>(
    `/operations/${operation.id}/watch`,
    signal,
  )) {
    if (update.type === "operation") saw(update.operation);
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
