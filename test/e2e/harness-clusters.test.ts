import { describe, expect, test } from "vitest";
import { createCluster } from "#test/harness/cluster.ts";
import { startLoad } from "#test/harness/load.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { lab } from "./support/harness-lab.ts";

const lanes = [
  { mode: "namespaces", product: "kingbase-v8r3" },
  { mode: "namespaces", product: "postgresql" },
  { mode: "loopback", product: "kingbase-v8r3" },
  { mode: "loopback", product: "postgresql" },
] as const;

describe.each(lanes)("a $product cluster in $mode", ({ mode, product }) => {
  test("serves writers and readers through its pools, who lose nothing while nothing happens", async () => {
    const bed = await lab(mode);
    const nodes = ["srv127", "srv129"];
    await using cluster = await createCluster(bed, {
      product,
      nodes,
      newNode: "srv159",
      pool: true,
    });
    expect(cluster.newNode?.host.exists(cluster.newNode.paths.dataDir)).toBe(false);
    const replicas = "select application_name as name, state from pg_stat_replication";
    expect(await cluster.sql("srv127", replicas)).toEqual([{ name: "srv129", state: "streaming" }]);
    const slots = "select slot_name, active from pg_replication_slots";
    expect(await cluster.sql("srv127", slots)).toEqual([
      { slot_name: "slot_srv129", active: true },
    ]);
    expect(await cluster.sql("srv129", slots)).toEqual([
      { slot_name: "slot_srv127", active: false },
    ]);

    await using load = await startLoad(cluster, bed.host("client"));
    const reached = await waitFor(async () => {
      const stats = await load.stats();
      const servers = Object.keys(stats.readsByServer);
      return stats.acknowledgedCount > 50 && servers.length === 2 && servers;
    });
    expect(reached.sort()).toEqual(cluster.nodes.map(({ address }) => address).sort());
    const end = await load.stop();
    expect(end).toMatchObject({ clientErrors: 0, sessionsLost: 0, freshFailed: 0, errors: [] });
    const written = await cluster.sql(
      "srv127",
      "select count(*)::int as n from ledger where id > 0",
    );
    expect(written).toEqual([{ n: end.acknowledgedCount }]);
  });
});

const variants = [
  { version: 10, layout: "plain" },
  { version: 18, layout: "plain" },
  { version: 15, layout: "debian" },
] as const;

test.each(variants)(
  "PostgreSQL $version in the $layout layout streams synchronously, tablespace included",
  async (variant) => {
    const bed = await lab("namespaces");
    const nodes = ["srv127", "srv129"];
    const more = { tablespace: "/srv/elsewhere", synchronous: true, sizeMb: 2 };
    await using cluster = await createCluster(bed, {
      product: "postgresql",
      nodes,
      ...variant,
      ...more,
    });
    const version = await cluster.sql("srv127", "show server_version_num");
    expect(String(version[0]?.["server_version_num"]).slice(0, 2)).toBe(String(variant.version));
    const sync = "select application_name as name, sync_state from pg_stat_replication";
    expect(await cluster.sql("srv127", sync)).toEqual([{ name: "srv129", sync_state: "sync" }]);
    const counts = "select count(*)::int as n from elsewhere";
    expect(await cluster.sql("srv129", counts)).toEqual([{ n: 100 }]);
    const config = await cluster.sql("srv129", "show config_file");
    expect(config).toEqual([{ config_file: cluster.node("srv129").paths.configFile }]);
  },
);

describe("the emulated KingbaseES", () => {
  test("copies, starts, streams and promotes by the product's commands, its files telling no clear password", async () => {
    const bed = await lab("namespaces");
    await using cluster = await createCluster(bed, {
      product: "kingbase-v8r3",
      nodes: ["srv127"],
      newNode: "srv159",
    });
    const { host, paths, slot } = cluster.node("srv159");
    const { superuser } = cluster.passwords;
    const own = { owner: "kingbase", mode: 0o600 };
    await host.writeFile("/home/kingbase/.pass", `*:*:*:SYSTEM:${superuser}\n`, own);
    const kingbase = { user: "kingbase", env: { KCIPASSFILE: "/home/kingbase/.pass" } };
    const makeSlot = "select sys_create_physical_replication_slot('slot_srv159', true)";
    const ksql = [`${paths.binDir}/ksql`, "-h", "srv127", "-U", "SYSTEM", "-Atc", makeSlot, "TEST"];
    expect((await host.exec(ksql, kingbase)).stdout).toContain("slot_srv159");
    const primary = cluster.node("srv127");
    const lines = `${await primary.host.readFile(primary.paths.hbaFile)}host replication SYSTEM 192.168.4.159/32 md5\n`;
    await primary.host.writeFile(primary.paths.hbaFile, lines, own);
    await cluster.sql("srv127", "select sys_reload_conf()");
    const backup = `-h srv127 -p 54321 -U SYSTEM -X stream -S ${slot} -c fast -v -P -D ${paths.dataDir}`;
    const argv = [`${paths.binDir}/sys_basebackup`, ...backup.split(" ")];
    const { stderr } = await host.exec(argv, kingbase);
    expect(stderr).toContain("sys_basebackup: base backup completed");
    expect(host.exists(paths.pidFile)).toBe(false);

    const encoded = Buffer.from(superuser).toString("base64");
    const recovery = `standby_mode = 'on'
primary_conninfo = 'port=54321 host=192.168.4.127 user=SYSTEM password=${encoded} application_name=srv159'
recovery_target_timeline = 'latest'
primary_slot_name ='${slot}'
`;
    await host.writeFile(`${paths.dataDir}/recovery.conf`, recovery, own);
    await cluster.start("srv159");
    expect(await host.readFile(`${paths.dataDir}/recovery.conf`)).toBe(recovery);
    const names = "select application_name as name from sys_stat_replication";
    await waitFor(async () => (await cluster.sql("srv127", names)).length === 1);
    expect(await cluster.sql("srv127", names)).toEqual([{ name: "srv159" }]);
    const processes = await host.exec(["ps", "-eo", "args"]);
    expect(processes.stdout).not.toContain(superuser);
    expect(processes.stdout).toContain(`${paths.binDir}/kingbase -D ${paths.dataDir}`);
    const pidFile = (await host.readFile(paths.pidFile)).split("\n");
    expect(pidFile[1]).toBe(paths.dataDir);
    const grep = await host.exec(["grep", "-rlF", superuser, paths.root], { reject: false });
    expect(grep.stdout).toBe("");
    const control = await host.exec([`${paths.binDir}/sys_controldata`, "-D", paths.dataDir]);
    expect(control.stdout).toMatch(/^Database cluster state: +in archive recovery$/m);

    await host.exec([paths.control, "-D", paths.dataDir, "promote"], { user: "kingbase" });
    await waitFor(() => host.exists(`${paths.dataDir}/recovery.done`));
    expect(await host.readFile(`${paths.dataDir}/recovery.done`)).toBe(recovery);
    await cluster.stop("srv159");
    expect(host.exists(paths.pidFile)).toBe(false);
  });
});

describe("a pair of pools", () => {
  test("hands the VIP over when its holder loses power, and the load counts what that cost", async () => {
    const bed = await lab("namespaces");
    // The primary is on srv127: a VIP elsewhere shows the pool's handover alone.
    await using cluster = await createCluster(bed, {
      product: "postgresql",
      nodes: ["srv127", "srv129"],
      pool: true,
    });
    const { pools } = cluster;
    expect(await pools?.vipHolder()).toBe("srv127");
    await pools?.stop("srv127");
    await waitFor(async () => (await pools?.vipHolder()) === "srv129", { timeoutMs: 20_000 });
    await pools?.start("srv127");
    await using load = await startLoad(cluster, bed.host("client"));
    const before = Date.now();
    await bed.host("srv129").powerOff();
    await waitFor(async () => (await pools?.vipHolder()) === "srv127", { timeoutMs: 60_000 });
    await waitFor(async () => (await load.stats(before)).freshFailed > 0, { timeoutMs: 60_000 });
    const stats = await load.stats(before);
    expect(stats.latency.maxMs).toBeGreaterThan(1000);
    await bed.host("srv129").boot();
    await cluster.start("srv129");
    await waitFor(() => cluster.isRunning("srv129"));
  });
});
