import type { OperationUpdate } from "#coordinator/api/contract.ts";
import { createApiClient } from "#coordinator/cli/client.ts";
import type { Castellan } from "#test/harness/castellan.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** The steps at the end are over before an abort can reach them, and what is done then can't be aborted. */
const stepsLeftOut = 6;

/**
 * Begins to add the new node, aborts when a step begins, and waits until all is taken back. Which step follows from
 * `turn`: as the turns go by every one has its own. Answers the step's kind.
 */
export async function addAndAbort(
  cluster: TestCluster,
  castellan: Castellan,
  turn: number,
): Promise<string> {
  const { coordinatorHost, stateDirectory } = castellan;
  const { newNode, name } = cluster;
  if (newNode === null) throw new Error("a cluster without a new node");
  const client = createApiClient(coordinatorHost.path(`${stateDirectory}/api.sock`));
  const list = () => client.get<readonly { readonly id: string }[]>("/operations");
  const former = (await list())[0]?.id;
  const cli = await castellan.spawnCli([
    "node",
    "add",
    name,
    newNode.name,
    "--address",
    newNode.address,
    "--yes",
  ]);
  const id = await waitFor(
    async () => {
      const newest = (await list())[0]?.id;
      return newest === former ? null : newest;
    },
    { timeoutMs: 60_000, intervalMs: 20, what: "the operation" },
  );
  let state = "";
  let abortedAt: string | null = null;
  const endless = new AbortController().signal;
  for await (const update of client.watch<OperationUpdate>(`/operations/${id}/watch`, endless)) {
    if (update.type !== "operation") continue;
    const { plan, steps } = update.operation;
    state = update.operation.state;
    const wanted = (turn * 7) % (plan.steps.length - stepsLeftOut);
    if (abortedAt !== null || steps[wanted]?.state === "pending") continue;
    abortedAt = plan.steps[wanted]?.kind ?? "";
    await client.post(`/operations/${id}/abort`, {});
  }
  await cli.exited;
  if (state !== "rolled-back" || abortedAt === null) throw new Error(`operation ${id} is ${state}`);
  return abortedAt;
}
