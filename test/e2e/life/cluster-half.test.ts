import { expect, test } from "vitest";
import type { StatusAnswer } from "#coordinator/api/contract.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { enforce } from "#test/e2e/support/guard.ts";

const hosts = ["127", "129", "159"].map((id) => ({ name: `srv${id}`, address: `192.168.4.${id}` }));
const names = hosts.map(({ name }) => name);

test("a stop whose coordinator is killed half-way goes on, and a start with a host off starts the rest and says so", async () => {
  const lab = await testLab({ hosts: [...hosts, { name: "coord", address: "192.168.4.10" }] });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: names,
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord"), crashPoints: true }); // prettier-ignore
  await castellan.cli(["cluster", "import", cluster.name]);
  await enforce(castellan, cluster.nodes);
  const runs = (name: string) => cluster.isRunning(name);

  await castellan.killCoordinator();
  await castellan.startCoordinator({ CASTELLAN_CRASH_AT: "step:primary-down" });
  await castellan.connected(names);
  const stop = await castellan.spawnCli(["cluster", "stop", "--yes"]);
  await castellan.coordinator().exited;
  expect(await Promise.all(names.map(runs))).toEqual([false, true, true]);
  await castellan.startCoordinator();
  expect(await stop.exited).toBe(0);
  expect(await Promise.all(names.map(runs))).toEqual([false, false, false]);

  const { host } = cluster.node("srv159");
  await host.powerOff();
  await waitFor(async () => (await castellan.json<StatusAnswer>(["status"])).clusters[0]?.nodes.some(({ agent }) => agent === "away"), { timeoutMs: 60_000, what: "the agent to be missed" }); // prettier-ignore
  const { exitCode, stdout } = await castellan.cli(["cluster", "start", "--yes"], { reject: false }); // prettier-ignore
  expect([exitCode, stdout]).toEqual([6, expect.stringContaining("postgres of srv159 is unknown.")]); // prettier-ignore
  expect(await Promise.all(["srv127", "srv129"].map(runs))).toEqual([true, true]);
  await cluster.sql("srv127", "INSERT INTO ledger (id, note) VALUES (1, 'after the start')");
});
