import { expect, test } from "vitest";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { labHosts } from "./support/hosts.ts";
import {
  addArguments,
  backupProcess,
  newestOperation,
  stepOf,
  untilOperation,
} from "./support/operations.ts";

/** About six seconds of copying. */
const slowly = ["--max-rate", "10M"];

test("a coordinator killed in the base backup goes on when it is started again, with the same backup process", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    pool: true,
    sizeMb: 40,
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", "ESHA"]);
  const cli = await castellan.spawnCli(addArguments(cluster, ...slowly));
  const { id, pid, newNode } = await inTheCopy(castellan, cluster);

  await castellan.killCoordinator();
  expect(await backupProcess(newNode)).toBe(pid);
  await castellan.startCoordinator();
  expect(await backupProcess(newNode)).toBe(pid);

  const done = await untilOperation(castellan, id, ({ state }) => state !== "running");
  expect(done).toMatchObject({ state: "succeeded", failure: null });
  expect(stepOf(done, "base-backup").attempt).toBe(1);
  // Whoever looked on still does.
  expect(await cli.exited).toBe(0);
  await isANode(cluster);
  const rows = await cluster.pools?.show("srv127");
  expect(rows?.map((row) => row["status"])).toEqual(["up", "up", "up"]);
});

test("the new node's agent killed in the base backup adopts the same backup process when it is back", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    sizeMb: 40,
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", "ESHA"]);
  const cli = await castellan.spawnCli(addArguments(cluster, ...slowly));
  const { id, pid, newNode } = await inTheCopy(castellan, cluster);

  await castellan.killAgent("srv159");
  expect(await backupProcess(newNode)).toBe(pid);
  await castellan.startAgent("srv159");
  await castellan.connected(["srv159"]);
  expect(await backupProcess(newNode)).toBe(pid);

  const done = await untilOperation(castellan, id, ({ state }) => state !== "running");
  expect(done).toMatchObject({ state: "succeeded", failure: null });
  // Told again, it found the copy under way.
  expect(stepOf(done, "base-backup").attempt).toBe(2);
  expect(await cli.exited).toBe(0);
  await isANode(cluster);
});

/** Waits until the operation's copy is under way and has come some way. */
async function inTheCopy(
  castellan: Castellan,
  cluster: TestCluster,
): Promise<{ readonly id: string; readonly pid: string; readonly newNode: ClusterNode }> {
  const newNode = cluster.node("srv159");
  const pid = await waitFor(async () => backupProcess(newNode), {
    timeoutMs: 30_000,
    what: "the copy to begin",
  });
  await waitFor(async () => (await stagedKilobytes(newNode)) > 10_000, {
    timeoutMs: 30_000,
    what: "10 MB of the copy",
  });
  const operation = await newestOperation(castellan);
  if (operation === null) throw new Error("no operation");
  return { id: operation.id, pid, newNode };
}

async function stagedKilobytes({ host, paths }: ClusterNode): Promise<number> {
  const { stdout } = await host.exec(["du", "-sk", paths.root], { reject: false });
  return Number(stdout.split("\t")[0]);
}

async function isANode(cluster: TestCluster): Promise<void> {
  const slots = await cluster.sql(
    "srv127",
    "SELECT slot_name::text AS name, active FROM pg_replication_slots ORDER BY 1",
  );
  expect(slots).toEqual([
    { name: "slot_srv129", active: true },
    { name: "slot_srv159", active: true },
  ]);
  const rows = "SELECT count(*)::int AS n FROM bulk";
  expect(await cluster.sql("srv159", rows)).toEqual(await cluster.sql("srv127", rows));
  expect(await backupProcess(cluster.node("srv159"))).toBe("");
}
