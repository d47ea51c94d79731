import { expect, test } from "vitest";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { expectFirstLayout } from "../support/layout.ts";
import { untilOperation } from "../support/operations.ts";
import { answers, failingOver, isStandby } from "../support/pool-failover.ts";

test("a primary that was killed by a drill leads again when the coordinator died before the failover", async () => {
  await using bed = await failingOver({ product: "postgresql" });
  const { cluster, castellan } = bed;
  await castellan.spawnCli(["drill", cluster.name, "--node", "srv127", "--kind", "kill", "--accept-loss", "--restore", "--yes"]); // prettier-ignore
  const { id } = await waitFor(
    async () => {
      const [newest] = await castellan.json<readonly OperationRecord[]>(["drill", "list"]);
      return newest ?? null;
    },
    { timeoutMs: 30_000, what: "the drill" },
  );
  await waitFor(async () => !(await cluster.isRunning("srv127")), { timeoutMs: 60_000, what: "the fault" }); // prettier-ignore
  await castellan.killCoordinator();
  const called = await answers(cluster);
  await castellan.startCoordinator();
  const ended = await untilOperation(castellan, id, ({ state }) => !["planned", "running", "rolling-back"].includes(state), 150_000); // prettier-ignore
  // The pool may have been quicker than the end of the coordinator: then the drill goes on to its end.
  expect(ended.state).toBe(called.includes(" promoted: ") ? "succeeded" : "rolled-back");
  expect(await isStandby(cluster, "srv127")).toBe(false);
  await expectFirstLayout(cluster);
});
