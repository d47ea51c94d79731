import { afterAll, beforeAll, expect, test } from "vitest";
import { guardBed, guardHosts, type GuardBed } from "#test/e2e/support/guard-bed.ts";
import { createLab, type Lab } from "#test/harness/lab.ts";
import type { Pools } from "#test/harness/pool.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** What the vendor's checks surprise with (docs/vendor-checks.md), one after the other on one cluster. */
const nodes = ["srv127", "srv129", "srv159"];
const limit = { timeoutMs: 60_000 };
const address = "192.168.4.220/24";
const flagFile = "/dev/shm/KB_RECOVERY_FLAG";
let lab: Lab;
let bed: GuardBed;
let cluster: GuardBed["cluster"];
let pools: Pools;

beforeAll(async () => {
  lab = await createLab({ hosts: guardHosts(nodes) });
  bed = await guardBed({ product: "kingbase-v8r3", nodes, pool: true }, { lab });
  ({ cluster } = bed);
  if (cluster.pools === null) throw new Error("a cluster with pools");
  ({ pools } = cluster);
}, 120_000);

afterAll(async () => {
  await bed?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
  lab?.assertNoLeftovers();
});

/** Names the very process: its number and its start. */
function server(node: string): Promise<string> {
  const { host, paths } = cluster.node(node);
  return host.readFile(paths.pidFile);
}

/** Rules by which a guard did something to its database or its address. */
async function acts(node: string): Promise<readonly string[]> {
  const made = await bed.decisions(node);
  return made.flatMap(
    ({ class: touched, outcome, rule }) =>
    ["database", "role", "vip"].includes(touched) && ["begun", "done", "failed"].includes(outcome) ? [rule] : [], // prettier-ignore
  );
}

async function streams(node: string): Promise<void> {
  const sql = "SELECT FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'";
  await waitFor(async () => (await cluster.sql("srv127", sql, [node])).length === 1, {
    ...limit,
    what: `${node} to stream`,
  });
}

async function statusOfRow(): Promise<unknown> {
  return (await pools.show("srv127"))[2]?.["status"];
}

/** srv159's row is taken out. A pool whose watchdog is at odds drops what it is asked for. */
async function detach(): Promise<void> {
  await waitFor(
    async () => {
      if ((await statusOfRow()) === "down") return true;
      await pools.pcp("srv127", "pcp_detach_node", ["-n", "2"]);
      return false;
    },
    { ...limit, intervalMs: 500, what: "the row of srv159 to be down" },
  );
}

/** By the guard of the host whose pool leads. */
async function isAttached(): Promise<void> {
  await waitFor(async () => (await statusOfRow()) === "up", {
    ...limit,
    what: "the row of srv159 to be up",
  });
}

async function has(node: string): Promise<boolean> {
  const { stdout } = await cluster.node(node).host.exec(["ip", "-4", "-o", "addr", "show"]);
  return stdout.includes(` ${address} `);
}

test("S3: a standby with the primary's HAmodule.conf stays a standby without the address, S4: and its wrong NODE_NAME is told", async () => {
  const { host, paths } = cluster.node("srv159");
  const before = await server("srv159");
  const file = `${paths.root}/db/etc/HAmodule.conf`;
  const own = await host.readFile(file);
  const owner = { owner: cluster.lane.osUser, mode: 0o600 };
  await host.writeFile(file, await cluster.node("srv127").host.readFile(file), owner);
  for (const rule of ["kb-localhost-ip", "node-name"]) {
    const told = async (): Promise<boolean> =>
      (await bed.castellan.cli(["alert", "list", "--json"])).stdout.includes(`"rule:ESHA:${rule}:srv159`); // prettier-ignore
    await waitFor(told, { ...limit, what: `the alert of ${rule}` });
  }
  // Also to an agent that starts with it.
  await bed.set("srv159", []);
  // Whoever takes itself for the primary would add it now.
  await cluster.node("srv127").host.exec(["ip", "addr", "del", address, "dev", "eth0"]);
  await waitFor(() => has("srv127"), { ...limit, what: "the address to be back" });
  expect(await has("srv159")).toBe(false);
  expect(await server("srv159")).toBe(before);
  expect(await acts("srv159")).toEqual([]);
  await streams("srv159");
  await host.writeFile(file, own, owner);
});

test("S2: an attach that fails is tried again as an attach, and leads to nothing else", async () => {
  // Of the watchdog, and with it of who attaches.
  const leader = await waitFor(() => pools.vipHolder(), { ...limit, what: "a pool that leads" });
  const { host, paths } = cluster.node(leader);
  const program = `${paths.binDir}/pcp_attach_node`;
  const before = await server("srv159");
  const said = "ERROR: connection to socket failed";
  await host.writeFile("/tmp/attach", `#!/bin/sh\necho '${said}' >&2\nexit 1\n`, { mode: 0o755 });
  await host.exec(["mount", "--bind", "/tmp/attach", program]);
  await detach();
  const failed = await bed.decided(leader, "backend-down-though-streaming", "failed");
  expect(failed.why).toContain(said);
  await host.exec(["umount", program]);
  await isAttached();
  expect(await server("srv159")).toBe(before);
  expect(await acts("srv159")).toEqual([]);
});

test("S1: after its host's reboot, without a run flag, a standby that streams is attached, and not touched", async () => {
  const { host } = cluster.node("srv159");
  // Pools that lost one of theirs take no order for a while.
  await detach();
  await host.powerOff();
  await host.boot();
  await bed.castellan.agent("srv159").exited;
  await cluster.start("srv159");
  await streams("srv159");
  expect(host.exists(flagFile)).toBe(false);
  const before = await server("srv159");
  await bed.castellan.startAgent("srv159");
  await isAttached();
  expect(await server("srv159")).toBe(before);
  expect(await acts("srv159")).toEqual([]);
});

test("S12: a run flag that was left over is ignored at either path, and left where it is", async () => {
  const { host, paths } = cluster.node("srv159");
  const before = await server("srv159");
  const flags = [flagFile, `${paths.dataDir}${flagFile}`];
  await host.makeDirectory(`${paths.dataDir}/dev/shm`, { owner: cluster.lane.osUser });
  // A run that was cut off, as its next one reads it.
  for (const flag of flags) await host.writeFile(flag, "1\n4711\n", { owner: cluster.lane.osUser });
  await bed.set("srv159", []);
  await detach();
  await isAttached();
  expect(await server("srv159")).toBe(before);
  expect(await acts("srv159")).toEqual([]);
  for (const flag of flags) expect(await host.readFile(flag)).toBe("1\n4711\n");
  await host.exec(["rm", "-r", flagFile, `${paths.dataDir}/dev`]);
});

test("S7: a stale pid file that names strangers' processes hurts none of them, and keeps no standby from its start", async () => {
  const { host, paths } = cluster.node("srv159");
  await bed.castellan.killAgent("srv159");
  const [dead = ""] = (await server("srv159")).split("\n");
  await host.exec(["kill", "-9", dead]);
  const strangers = await Promise.all([
    host.spawn(["sleep", "600"]),
    host.spawn(["sleep", "600"], { user: cluster.lane.osUser }),
  ]);
  const pidFiles = [`${paths.dataDir}/postmaster.pid`, paths.pidFile];
  for (const [at, file] of pidFiles.entries()) {
    const text = await host.readFile(file);
    const named = text.replace(dead, String(strangers[at]?.insidePid));
    expect(named).not.toBe(text);
    await host.writeFile(file, named, { owner: cluster.lane.osUser, mode: 0o600 });
  }
  await bed.castellan.startAgent("srv159");
  await bed.decided("srv159", "database-dead", "done");
  await streams("srv159");
  expect(strangers.map((stranger) => stranger.isRunning())).toEqual([true, true]);
  for (const stranger of strangers) stranger.kill("SIGKILL");
});

test("S8: a pool that takes another node for the primary than the databases do is told of, and nothing is done from its word", async () => {
  const all = () => Promise.all(nodes.map(server));
  const before = await all();
  await pools.pcp("srv127", "pcp_promote_node", ["-n", "1"]);
  const told = await bed.untilAlert("node:srv127:guard:pool-contradicts-database");
  expect(told.detail).toMatch(/the pool of srv1\d\d names srv129\b.*; the primary is srv127/);
  expect(await all()).toEqual(before);
  expect(await has("srv127")).toBe(true);
  for (const node of ["srv129", "srv159"]) await streams(node);
});

test("S13: a primary whose standbys are all gone is told of with an alert", async () => {
  const before = await server("srv127");
  for (const node of ["srv129", "srv159"]) await cluster.stop(node);
  const told = await bed.untilAlert("node:srv127:guard:primary-without-standbys");
  expect(told.detail).toContain("nobody streams from here");
  expect(await server("srv127")).toBe(before);
});
