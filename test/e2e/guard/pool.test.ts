import { expect, test } from "vitest";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const nodes = ["srv127", "srv129"];

async function alertOf(castellan: Castellan, rule: string): Promise<AlertRecord | undefined> {
  const alerts = await castellan.json<readonly AlertRecord[]>(["alert", "list"]);
  return alerts.find(({ cause }) => cause === `node:srv127:guard:${rule}`);
}

test("F8: a pool that is killed runs again, whatever its pid file says, F9: with its sockets cleared, one that is stopped stays so, and the address comes back", async () => {
  const lab = await testLab({
    hosts: [...nodes.map((name, i) => ({ name, address: `192.168.4.${127 + 2 * i}` })), { name: "coord", address: "192.168.4.10" }], // prettier-ignore
  });
  await using cluster = await createCluster(lab, { product: "kingbase-v8r3", nodes, pool: true });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", "ESHA"]);
  await castellan.cli(["guard", "takeover", "ESHA", "--yes"]);
  const { pools } = cluster;
  if (pools === null) throw new Error("a cluster with pools");
  const { host } = cluster.node("srv127");
  const { pool } = pools.nodes.find(({ name }) => name === "srv127") ?? { pool: null };
  if (pool === null) throw new Error("a pool on srv127");
  const pid = async (): Promise<string> =>
    (await host.readFile(pool.pidFile)).replaceAll("\0", "").trim();

  // The parent alone: its children go on and hold the port; pid file and sockets stay.
  const first = await pid();
  await host.exec(["kill", "-9", first]);
  await waitFor(async () => host.exists(pool.pidFile) && (await pid()) !== first, {
    timeoutMs: 40_000,
    what: "another pool",
  });
  await waitFor(() => pools.show("srv127"), { timeoutMs: 30_000, what: "the pool to answer" });
  await waitFor(async () => (await alertOf(castellan, "pool-dead")) === undefined, { timeoutMs: 20_000 }); // prettier-ignore
  const alerts = await castellan.json<readonly AlertRecord[]>(["alert", "list", "--all"]);
  expect(alerts.map(({ cause }) => cause)).toContain("node:srv127:guard:pool-dead");

  // A pid file that was cut off, as a full disk leaves it.
  await host.exec(["sh", "-c", `kill -9 $(tr -d '\\0' < ${pool.pidFile}); : > ${pool.pidFile}`]);
  await waitFor(async () => host.exists(pool.pidFile) && /^\d+$/.test(await pid()), {
    timeoutMs: 40_000,
    what: "a pool with a whole pid file",
  });
  await waitFor(() => pools.show("srv127"), { timeoutMs: 30_000, what: "the pool to answer" });

  await pools.stop("srv127");
  await waitFor(() => alertOf(castellan, "pool-stopped"), { timeoutMs: 20_000, what: "the alert" });
  expect(host.exists(pool.pidFile)).toBe(false);
  await pools.start("srv127");

  // The database's virtual address: the guard brings it to the primary, back to it, and off a standby.
  const holds = async (name: string): Promise<boolean> =>
    (await cluster.node(name).host.exec(["ip", "-o", "-4", "addr", "show"])).stdout.includes(" 192.168.4.220/24 "); // prettier-ignore
  await waitFor(() => holds("srv127"), { timeoutMs: 20_000, what: "the address on the primary" });
  await host.exec(["ip", "addr", "del", "192.168.4.220/24", "dev", "eth0"]);
  await waitFor(() => holds("srv127"), { timeoutMs: 20_000, what: "the address to be back" });
  await cluster.node("srv129").host.exec(["ip", "addr", "add", "192.168.4.220/24", "dev", "eth0"]);
  await waitFor(async () => !(await holds("srv129")), { timeoutMs: 20_000, what: "the address off the standby" }); // prettier-ignore
  // The guard that had just added it asks once more who has it, and comes again where another host answers.
  await waitFor(() => holds("srv127"), { timeoutMs: 20_000, what: "the address on the primary alone" }); // prettier-ignore
});
