import { expect, test } from "vitest";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { Pools } from "#test/harness/pool.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const nodes = ["srv127", "srv129", "srv159"];

/** Who was to become the primary (%m) at each call of a failover command for the primary's failure (%d is 0). */
async function failuresOfPrimary(pools: Pools): Promise<readonly number[]> {
  const texts = await Promise.all(
    pools.nodes.map(({ host, pool }) =>
      host.exists(pool.failoverLog) ? host.readFile(pool.failoverLog) : Promise.resolve(""),
    ),
  );
  return texts
    .flatMap((text) => text.split("\n"))
    .map((line) => line.split(" "))
    .filter((words) => words[1] === "0")
    .map((words) => Number(words[5]))
    .toSorted((a, b) => a - b);
}

/** As the running pool has them: one that learnt a status from its leader writes it into its file later, or never. */
async function statuses(pools: Pools, name: string): Promise<readonly string[]> {
  const rows = await Promise.all(
    nodes.map((_node, id) => pools.pcp(name, "pcp_node_info", ["-n", String(id)])),
  );
  // One that nobody has used since it came up is waiting.
  return rows.map((row) => (row.split(" ")[4] ?? "").replace("waiting", "up"));
}

async function becomes(pools: Pools, wanted: readonly string[]): Promise<void> {
  for (const { name } of pools.nodes) {
    await waitFor(
      async () => (await statuses(pools, name).catch(() => [])).join() === wanted.join(),
      {
        timeoutMs: 40_000,
        what: `${wanted.join(", ")} on the pool of ${name}`,
      },
    );
  }
}

/** A pool that has not joined its watchdog yet drops what it is asked for, and the program that asked ends well. */
async function ask(
  pools: Pools,
  name: string,
  command: "pcp_attach_node" | "pcp_detach_node",
  id: number,
): Promise<void> {
  const wanted = command === "pcp_attach_node" ? "up" : "down";
  await waitFor(
    async () => {
      if ((await statuses(pools, name))[id] === wanted) return true;
      await pools.pcp(name, command, ["-n", String(id)]);
      return false;
    },
    { timeoutMs: 40_000, intervalMs: 1_000, what: `row ${id} to be ${wanted} on the pool of ${name}` }, // prettier-ignore
  );
}

async function killPrimary(cluster: TestCluster): Promise<void> {
  const { host, paths } = cluster.node("srv127");
  const [pid = ""] = (await host.readFile(`${paths.dataDir}/postmaster.pid`)).split("\n");
  await host.exec(["kill", "-9", pid]);
}

test("a row that is down is nobody's next primary, after a restart of the pools as well; without the status file it is", async () => {
  const lab = await testLab({
    hosts: nodes.map((name) => ({ name, address: `192.168.4.${name.slice(3)}` })),
  });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes, pool: true });
  const { pools } = cluster;
  if (pools === null) throw new Error("a cluster with pools");

  await ask(pools, "srv127", "pcp_detach_node", 1);
  await becomes(pools, ["up", "down", "up"]);
  await killPrimary(cluster);
  await becomes(pools, ["down", "down", "up"]);
  await waitFor(async () => (await failuresOfPrimary(pools)).length > 0);
  expect(await failuresOfPrimary(pools)).toEqual([2]);

  await restart(pools);
  await becomes(pools, ["down", "down", "up"]);
  await cluster.start("srv127");
  // A pool that has just started is told itself: its watchdog may not have met the other one yet.
  for (const { name } of pools.nodes) await ask(pools, name, "pcp_attach_node", 0);
  await becomes(pools, ["up", "down", "up"]);

  // Nobody else is up: then nobody is named, and those that are down least of all.
  for (const { name } of pools.nodes) await ask(pools, name, "pcp_detach_node", 2);
  await becomes(pools, ["up", "down", "down"]);
  await killPrimary(cluster);
  await waitFor(async () => (await failuresOfPrimary(pools)).length > 1, { timeoutMs: 40_000 });
  expect(await failuresOfPrimary(pools)).toEqual([-1, 2]);

  // What a restart without the file would do, and why the root helper keeps it.
  await cluster.start("srv127");
  await restart(pools, async () => {
    for (const { host, pool } of pools.nodes) await host.exec(["rm", "-f", pool.statusFile]);
  });
  await becomes(pools, ["up", "up", "up"]);
});

/** Both at once: one that goes on would tell the other what it knows. */
async function restart(
  pools: Pools,
  meanwhile = async (): Promise<void> => undefined,
): Promise<void> {
  await Promise.all(pools.nodes.map(({ name }) => pools.stop(name)));
  await meanwhile();
  await Promise.all(pools.nodes.map(({ name }) => pools.start(name)));
}
