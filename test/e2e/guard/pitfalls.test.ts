import { createHash } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { StatusAnswer } from "#coordinator/api/contract.ts";
import { guardBed, guardHosts, type GuardBed } from "#test/e2e/support/guard-bed.ts";
import { createLab, type Lab } from "#test/harness/lab.ts";
import type { Pools } from "#test/harness/pool.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** Pitfalls that users of the vendor's checks reported (docs/vendor-checks.md), one after the other on one cluster. */
const nodes = ["srv127", "srv129"];
const limit = { timeoutMs: 60_000 };
const cronFile = "/etc/cron.d/KINGBASECRON";
const list = "1 (srv127, srv129)";
const cron = new Map<string, string>();
let lab: Lab;
let bed: GuardBed;
let cluster: GuardBed["cluster"];
let pools: Pools;

beforeAll(async () => {
  lab = await createLab({ hosts: guardHosts(nodes) });
  bed = await guardBed(
    { product: "kingbase-v8r3", nodes, pool: true, synchronous: true, cronActive: true },
    {
      lab,
      prepare: async (built) => {
        for (const { name, host } of built.nodes) cron.set(name, await host.readFile(cronFile));
      },
    },
  );
  ({ cluster } = bed);
  if (cluster.pools === null) throw new Error("a cluster with pools");
  ({ pools } = cluster);
}, 120_000);

afterAll(async () => {
  await bed?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
  lab?.assertNoLeftovers();
});

async function attaches(): Promise<number> {
  const made = await bed.decisions("srv127");
  return made.filter(
    ({ rule, outcome }) => rule === "backend-down-though-streaming" && outcome === "done",
  ).length;
}

/** The standby's row is taken out, and the guard of the leading pool's host has attached it on both. */
async function untilAttachedAgain(): Promise<void> {
  const before = await attaches();
  await pools.pcp("srv127", "pcp_detach_node", ["-n", "1"]);
  await waitFor(async () => (await attaches()) > before, { ...limit, what: "the attach" });
  for (const { name } of pools.nodes) {
    await waitFor(async () => (await pools.show(name))[1]?.["status"] === "up", limit);
  }
}

async function inForce(): Promise<unknown> {
  const [row] = await cluster.sql("srv127", "SHOW synchronous_standby_names");
  return row?.["synchronous_standby_names"];
}

test("F5: a row that is down though its node streams is attached, F18: without a person", async () => {
  await untilAttachedAgain();
});

test("F16: with SYNC_FLAG=0 beside a list in force an attach leaves commits synchronous, and the contradiction is told", async () => {
  const { host, paths } = cluster.node("srv127");
  const file = `${paths.root}/db/etc/HAmodule.conf`;
  const text = await host.readFile(file);
  const owner = { owner: cluster.lane.osUser, mode: 0o600 };
  await host.writeFile(file, text.replace("SYNC_FLAG=1", "SYNC_FLAG=0"), owner);
  const told = async (): Promise<boolean> =>
    (await bed.castellan.cli(["alert", "list", "--json"])).stdout.includes("rule:ESHA:sync-flag:srv127"); // prettier-ignore
  await waitFor(told, { ...limit, what: "the alert of sync-flag" });
  await untilAttachedAgain();
  expect(await inForce()).toBe(list);
  await host.writeFile(file, text, owner);
  await waitFor(async () => !(await told()), limit);
});

test("F22: a slot that nobody uses and that holds back WAL is told of, and left alone", async () => {
  await bed.set("srv127", [[/idleBytes: \d+/, "idleBytes: 33554432"]]);
  await cluster.sql("srv127", "SELECT pg_create_physical_replication_slot('slot_gone', true)");
  for (const _segment of [1, 2, 3, 4]) {
    await cluster.sql("srv127", "SELECT txid_current(), pg_switch_wal()");
  }
  const told = await bed.untilAlert("node:srv127:guard:slot-retains-wal-for-nobody");
  expect(told.detail).toMatch(/slot_gone \(not ours\) holds \d+ bytes/);
  const slots = "SELECT 1 FROM pg_replication_slots WHERE slot_name = 'slot_gone'";
  expect(await cluster.sql("srv127", slots)).toHaveLength(1);
  await cluster.sql("srv127", "SELECT pg_drop_replication_slot('slot_gone')");
});

test("F10: a password with a dollar sign reaches the pool as it was typed", async () => {
  const { host } = cluster.node("srv127");
  const pool = pools.nodes.find(({ name }) => name === "srv127")?.pool;
  if (pool === undefined) throw new Error("a pool on srv127");
  const password = "pa$HOME`id`$$'\"";
  const user = cluster.lane.osUser;
  const hash = createHash("md5").update(password).digest("hex");
  await host.writeFile(pool.pcpFile, `${pools.pcpUser}:${hash}\n`, { owner: user, mode: 0o600 });
  const agent = [host.nodePath, `${host.projectPath}/dist/castellan-agent.js`];
  await host.exec([...agent, "secret", "set", "pcp", "--config", "/etc/castellan/agent.yaml"], {
    user,
    input: password,
  });
  await pools.restart("srv127");
  await bed.set("srv127", []);
  await waitFor(
    async () => {
      const { clusters } = await bed.castellan.json<StatusAnswer>(["status"]);
      const seen = clusters.flatMap((one) => one.nodes).flatMap((node) => node.pools);
      const own = seen.filter(({ on }) => on === "srv127");
      return own.length === nodes.length && own.every(({ status }) => status === "up");
    },
    { ...limit, what: "the rows of the pool of srv127 to be seen with the new password" },
  );
});

test("F2: an arping that can't ask is named, and the address is added nowhere without an answer", async () => {
  const { host } = cluster.node("srv127");
  const address = "192.168.4.220/24";
  const has = async (): Promise<boolean> =>
    (await host.exec(["ip", "-4", "-o", "addr", "show"])).stdout.includes(` ${address} `);
  await waitFor(has, { ...limit, what: `${address} on the primary` });
  await host.writeFile("/tmp/arping", "#!/bin/sh\necho 'arping: invalid option' >&2\nexit 2\n", { mode: 0o755 }); // prettier-ignore
  await host.exec(["mount", "--bind", "/tmp/arping", "/usr/bin/arping"]);
  await host.exec(["ip", "addr", "del", address, "dev", "eth0"]);
  const refused = await bed.decided("srv127", "vip-missing-on-primary", "failed");
  expect(refused.why).toContain("arping: invalid option");
  expect(await has()).toBe(false);
  await host.exec(["umount", "/usr/bin/arping"]);
  await waitFor(has, { ...limit, what: `${address} to be back` });
});

test("F12: a gateway that is silent to all hosts is told of, S5: and stops no database", async () => {
  const running = () =>
    Promise.all(cluster.nodes.map(({ host, paths }) => host.readFile(paths.pidFile)));
  const before = await running();
  for (const node of nodes) {
    // Nobody has this address.
    await bed.set(node, [
      [/trustAddresses: \[\]/, "trustAddresses: [192.168.4.250]"],
      [/trust: ".*"/, 'trust: "*/2 * * * * *"'],
    ]);
  }
  for (const node of nodes) await bed.untilAlert(`node:${node}:check:trust`);
  expect(await running()).toEqual(before);
});

test("F13: where no crond is found the vendor's lines are commented all the same, and given back byte for byte", async () => {
  const { host } = cluster.node("srv127");
  expect((await host.exec(["sh", "-c", "command -v crond"], { reject: false })).stdout).toBe("");
  const line = /^\*\/1 .*network_rewind\.sh$/m;
  expect(cron.get("srv127")).toMatch(line);
  expect(await host.readFile(cronFile)).not.toMatch(line);
  await bed.castellan.cli(["guard", "handback", cluster.name, "--yes"]);
  for (const { name, host: each } of cluster.nodes) {
    expect(await each.readFile(cronFile)).toBe(cron.get(name));
  }
});
