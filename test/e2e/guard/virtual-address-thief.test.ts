import { expect, test } from "vitest";
import { guardBed } from "#test/e2e/support/guard-bed.ts";
import type { Host } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const address = "192.168.4.220/24";
const limit = { timeoutMs: 60_000 };

async function has(host: Host): Promise<boolean> {
  const { stdout } = await host.exec(["ip", "-4", "-o", "addr", "show"]);
  return stdout.includes(` ${address} `);
}

test("an address that a foreign host answers for is told of and not fought over, F3: an interface that is gone is told of, and nothing is stopped", async () => {
  await using bed = await guardBed({ product: "kingbase-v8r3", nodes: ["srv127", "srv129"] });
  const { cluster, coord: foreign } = bed;
  const { host: primary, paths } = cluster.node("srv127");
  const untilHere = () => waitFor(() => has(primary), { ...limit, what: `${address} on srv127` });
  const pidFile = await primary.readFile(paths.pidFile);
  await bed.decided("srv127", "vip-missing-on-primary", "done");
  await bed.set("srv127", [[/vip: ".*"/, 'vip: "* * * * * *"']]);
  await untilHere();

  await foreign.exec(["ip", "addr", "add", address, "dev", "eth0"]);
  const told = await bed.untilAlert("node:srv127:check:vip");
  expect(told).toMatchObject({ severity: "critical" });
  expect(told.summary).toMatch(/192\.168\.4\.220 is on this host, and [0-9a-f:]{17} answers for it as well/); // prettier-ignore
  expect(await has(primary)).toBe(true);

  // Lost to the other one, it is not taken from it; when that lets go, it comes back.
  await primary.exec(["ip", "addr", "del", address, "dev", "eth0"]);
  const refused = await bed.decided("srv127", "vip-missing-on-primary", "failed");
  expect(refused.why).toMatch(/192\.168\.4\.220\/24 is taken: [0-9a-f:]{17} answers for it/);
  expect([await has(primary), await has(foreign)]).toEqual([false, true]);
  await foreign.exec(["ip", "addr", "del", address, "dev", "eth0"]);
  await untilHere();
  await waitFor(async () => (await bed.alertOf("node:srv127:check:vip")) === undefined, limit);

  await primary.exec(["ip", "addr", "flush", "dev", "eth0"]);
  const gone = await bed.decided("srv127", "nic-gone", "would");
  expect(gone).toMatchObject({ steps: [], evidence: expect.stringContaining("eth0 is gone") });
  await primary.exec(["ip", "addr", "add", "192.168.4.127/24", "dev", "eth0"]);
  await untilHere();
  await waitFor(async () => (await cluster.sql("srv127", "SELECT 1 FROM pg_stat_replication")).length === 1, limit); // prettier-ignore
  expect(await primary.readFile(paths.pidFile)).toBe(pidFile);
});
