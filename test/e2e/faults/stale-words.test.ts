import { expect, test } from "vitest";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { isStopped } from "#test/harness/faults/process.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { labHosts } from "../support/hosts.ts";
import { addArguments, newestOperation, stepOf, untilOperation, untilWell } from "../support/operations.ts"; // prettier-ignore

test("an agent that wakes between its look and its effect does nothing that it was told before", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
  });
  const coordinatorHost = lab.host("coord");
  await using castellan = await installCastellan(cluster, { coordinatorHost, crashPoints: true });
  await castellan.cli(["cluster", "import", "ESHA"]);
  const { host } = cluster.node("srv127");
  const points = "/var/lib/castellan-agent/points";
  // What passes until the coordinator takes the agent for gone is enough.
  await host.exec(["sed", "-i", "s/standstillMs: 10000/standstillMs: 2000/", "/etc/castellan/agent.yaml"]); // prettier-ignore

  /** The agent of the primary stops when it has seen that there is no slot, and is about to make it. */
  const stopBeforeSlot = async () => {
    await castellan.killAgent("srv127");
    await castellan.startAgent("srv127", {
      CASTELLAN_STOP_AT: "agent:checked:create-slot",
      CASTELLAN_POINT_LOG: points,
    });
    await untilWell(castellan, cluster);
    const former = (await newestOperation(castellan))?.id;
    const adding = await castellan.spawnCli(addArguments(cluster));
    await waitFor(() => isStopped(castellan.agent("srv127").pid), {
      timeoutMs: 60_000,
      what: "the agent to stop at its point",
    });
    const stoppedAt = performance.now();
    const operation = await newestOperation(castellan);
    if (operation === null || operation.id === former) throw new Error("no operation began");
    return { id: operation.id, adding, stoppedAt };
  };
  const wake = async ({ stoppedAt }: { readonly stoppedAt: number }) => {
    // A coordinator that was just started misses every agent at once. The agent counts what is longer than its
    // limit and a look (1 s).
    await waitFor(() => performance.now() - stoppedAt > 3500, { what: "a long standstill" });
    await waitFor(async () => /srv127 .* away /.test((await castellan.cli(["status"])).stdout), {
      timeoutMs: 30_000,
      what: "the coordinator to miss the agent",
    });
    castellan.agent("srv127").kill("SIGCONT");
  };
  const slots = () =>
    cluster.sql("srv127", "SELECT slot_name::text AS name FROM pg_replication_slots ORDER BY 1");
  const before = await slots();

  // Meanwhile the coordinator was replaced, and a person has aborted: nothing is made, not even for a moment.
  const first = await stopBeforeSlot();
  await castellan.killCoordinator();
  await castellan.startCoordinator();
  const aborting = await castellan.spawnCli(["operation", "abort", first.id]);
  await wake(first);
  expect(await aborting.exited).toBe(0);
  await first.adding.exited;
  await untilOperation(castellan, first.id, ({ state }) => state === "rolled-back");
  expect(await host.readFile(points)).toContain("agent:checked:create-slot");
  expect(await host.readFile(points)).not.toContain("agent:applied:create-slot");
  expect(await slots()).toEqual(before);

  // Meanwhile nothing has changed: it is told again, looks again, and the run goes on to its end.
  const second = await stopBeforeSlot();
  await wake(second);
  expect(await second.adding.exited).toBe(0);
  const done = await untilOperation(castellan, second.id, ({ state }) => state === "succeeded");
  expect(stepOf(done, "create-slot", "srv127").attempt).toBe(2);
  expect(await castellan.logs("srv127")).toMatch(/the agent stood still for \d+ s before command/);
});
