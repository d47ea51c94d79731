import { expect, test } from "vitest";
import { createObserver } from "#agent/observe/observer.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { clusterNodeSettings, createNodePorts, ownHosts } from "./node-ports.ts";

const lanes = [
  { product: "kingbase-v8r3" },
  { product: "postgresql", version: 10 },
  { product: "postgresql", version: 15 },
  { product: "postgresql", version: 18 },
] as const;

test.each(lanes)(
  "every kind of slot and the archiver's queue are seen: $product $version",
  async (lane) => {
    await using lab = await createLab({ hosts: ownHosts("srv127", "srv129"), mode: "loopback" });
    await using cluster = await createCluster(lab, {
      ...lane,
      nodes: ["srv127", "srv129"],
      settings: { wal_level: "logical", archive_mode: "on", archive_command: "'false'" },
    });
    await using node = await createNodePorts({
      settings: clusterNodeSettings(cluster, "srv127"),
      databasePassword: cluster.passwords.superuser,
    });
    const before = Date.now();
    const sql = (text: string) => cluster.sql("srv127", text);
    await sql("select pg_create_logical_replication_slot('cdc', 'test_decoding')");
    await sql("select pg_create_physical_replication_slot('unused')");
    await sql("create table wal_filler as select 1");
    await sql("select pg_switch_wal()");
    const observer = createObserver(node.ports, 1);
    const want = { fresh: true, settings: false, host: false };
    const { slots, archiver, problem } = await waitFor(async () => {
      const { database } = await observer.observe(want);
      const waits = database.archiver?.backlog?.count ?? 0;
      const xmins = database.slots.some((slot) => slot.catalogXminAge !== null);
      return waits > 0 && xmins && database.archiver?.lastFailedAt != null ? database : null;
    });
    expect(problem).toBeNull();
    const named = new Map(slots.map((slot) => [slot.name, slot]));
    expect(named.get("cdc")).toMatchObject({
      type: "logical",
      plugin: "test_decoding",
      database: cluster.lane.database,
      active: false,
      activePid: null,
      client: null,
    });
    expect(named.get("cdc")?.catalogXminAge).toBeGreaterThanOrEqual(0);
    expect(named.get("unused")).toMatchObject({ restartLsn: null, retainedBytes: null });
    expect(named.get("unused")?.madeAt).toBeGreaterThan(before - 1_000);
    expect(named.get("slot_srv129")).toMatchObject({
      active: true,
      client: expect.stringContaining("srv129"),
      temporary: false,
    });
    expect(named.get("slot_srv129")?.activePid).toBeGreaterThan(1);
    expect(archiver).toMatchObject({
      failedCount: expect.any(Number),
      lastFailedWal: expect.stringMatching(/^[0-9A-F]{24}$/),
      backlog: { oldestWal: expect.stringMatching(/^[0-9A-F]{24}$/), isCut: false },
    });
    expect(Math.abs((archiver?.lastFailedAt ?? 0) - Date.now())).toBeLessThan(120_000);
    const status = named.get("slot_srv129")?.walStatus;
    expect(status).toBe(cluster.lane.major >= 13 ? "reserved" : null);

    // On a standby the same can be asked.
    await using other = await createNodePorts({
      settings: clusterNodeSettings(cluster, "srv129"),
      databasePassword: cluster.passwords.superuser,
    });
    const seen = await createObserver(other.ports, 1).observe(want);
    expect(seen.database).toMatchObject({ role: "standby", problem: null });
  },
);

test.each([lanes[0], lanes[2]])(
  "a standby whose slot was dropped says itself why nothing comes: $product $version",
  async (lane) => {
    await using lab = await createLab({ hosts: ownHosts("srv127", "srv129"), mode: "loopback" });
    await using cluster = await createCluster(lab, { ...lane, nodes: ["srv127", "srv129"] });
    await using node = await createNodePorts({
      settings: clusterNodeSettings(cluster, "srv129"),
      databasePassword: cluster.passwords.superuser,
    });
    const observer = createObserver(node.ports, 1);
    const want = { fresh: true, settings: false, host: false };
    const streaming = await observer.observe(want);
    expect(streaming.database).toMatchObject({
      receiver: { status: "streaming" },
      upstreamProblem: null,
    });
    const sql = (text: string) => cluster.sql("srv127", text);
    await waitFor(async () => {
      await sql("select pg_terminate_backend(active_pid) from pg_replication_slots");
      await sql("select pg_drop_replication_slot('slot_srv129')");
      return true;
    });
    const told = await waitFor(
      async () => (await observer.observe(want)).database.upstreamProblem,
      { timeoutMs: 30_000 },
    );
    expect(told).toMatch(/:\d+ is a primary and has no slot slot_srv129: it was dropped there/);
  },
);
