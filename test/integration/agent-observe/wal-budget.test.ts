import { expect, test } from "vitest";
import type { HostEvent } from "#agent/host-event.ts";
import { createWalBudgetGuard } from "#agent/guard-wal-budget.ts";
import { createObserver } from "#agent/observe/observer.ts";
import { Failure } from "#shared/errors.ts";
import { ledgerKey } from "#agent/steps/ledger-keys.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { clusterNodeSettings, createNodePorts, ownHosts } from "./node-ports.ts";

const want = { fresh: true, settings: false, host: false };
const segment = 16 * 1024 * 1024;

for (const product of ["postgresql", "kingbase-v8r3"] as const) {
  test(`${product}: our slot over its budget is dropped though it is in use, a foreign one stays`, async () => {
    await using lab = await createLab({ hosts: ownHosts("srv127", "srv129"), mode: "loopback" });
    await using cluster = await createCluster(lab, { product, nodes: ["srv127", "srv129"] });
    await using node = await createNodePorts({
      settings: clusterNodeSettings(cluster, "srv127"),
      databasePassword: cluster.passwords.superuser,
    });
    const { ports } = node;
    const dialect = ports.product.dialect(0);
    await ports.databases.own.query(dialect.createSlot, ["theirs", true]);
    // The standby's own slot, as if an operation of ours had made it: it is active all the time.
    await ports.ledger.put(ledgerKey.slot("slot_srv129"), {
      operationId: "op-12345678",
      at: 1,
      facts: { forNode: "srv129", reserve: true, walBudgetBytes: 10 * segment },
    });
    const events: HostEvent[] = [];
    const guard = createWalBudgetGuard(ports, (event) => events.push(event), []);
    const observer = createObserver(ports, 1);
    await guard.enforce(await observer.observe(want));
    expect(events).toEqual([]);

    // A standby that stops reading: its slot holds everything that is written from now on.
    const [sender] = await cluster.sql(
      "srv127",
      "select active_pid as pid from pg_replication_slots where slot_name = 'slot_srv129'",
    );
    await cluster.stop("srv129");
    expect(Number(sender?.["pid"])).toBeGreaterThan(1);
    const write = async (segments: number): Promise<void> => {
      for (let i = 0; i < segments; i += 1) {
        await cluster.sql("srv127", "create table if not exists wal_filler (id int)");
        await cluster.sql("srv127", "insert into wal_filler values (1)");
        await cluster.sql("srv127", "select pg_switch_wal()");
      }
    };
    await write(8);
    await guard.enforce(await observer.observe(want));
    await guard.enforce(await observer.observe(want));
    expect(events).toMatchObject([
      { kind: "wal-budget", cause: "wal-budget:slot_srv129", severity: "warning" },
    ]);

    await write(3);
    const over = await observer.observe(want);
    expect(over.agent.ownSlots).toMatchObject([{ name: "slot_srv129", forNode: "srv129" }]);
    // It comes back and takes the slot right before it is dropped.
    await cluster.start("srv129");
    await guard.enforce(over);
    expect(events.at(-1)).toMatchObject({
      kind: "wal-budget",
      severity: "critical",
      summary: "slot slot_srv129 was dropped: srv129 needs a rebuild",
    });
    const after = await observer.observe(want);
    expect(after.database.slots.map((slot) => slot.name)).toEqual(["theirs"]);
    expect(after.agent.ownSlots).toEqual([]);
    expect(await ports.ledger.get(ledgerKey.slot("slot_srv129"))).toMatchObject({
      facts: { droppedForBudgetAt: expect.any(Number) },
    });

    const told = events.length;
    await guard.enforce(after);
    expect(events).toHaveLength(told);
    await cluster.sql("srv127", dialect.dropSlot.replace("$1", "'theirs'"));
  });
}

test("a slot that the ledger no longer names is not dropped, whatever the last look said", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  await using node = await createNodePorts({
    settings: clusterNodeSettings(cluster, "srv127"),
    databasePassword: cluster.passwords.superuser,
  });
  const { ports } = node;
  await ports.databases.own.query(ports.product.dialect(0).createSlot, ["slot_srv159", true]);
  const key = ledgerKey.slot("slot_srv159");
  const facts = { forNode: "srv159", walBudgetBytes: 1 };
  await ports.ledger.put(key, { operationId: "op-12345678", at: 1, facts });
  await cluster.sql("srv127", "create table wal_filler as select 1");
  const observer = createObserver(ports, 1);
  const over = await waitFor(async () => {
    const seen = await observer.observe(want);
    return (seen.database.slots[0]?.retainedBytes ?? 0) >= 1 ? seen : null;
  });
  await ports.ledger.delete(key);
  const events: HostEvent[] = [];
  const guard = createWalBudgetGuard(ports, (event) => events.push(event), []);
  await guard.enforce(over);
  expect((await observer.observe(want)).database.slots.map((slot) => slot.name)).toEqual([
    "slot_srv159",
  ]);
  expect(events).toEqual([]);
});

test("on a full disk the slot goes and a checkpoint is asked for all the same; the ledger hears of it later", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  await using node = await createNodePorts({
    settings: clusterNodeSettings(cluster, "srv127"),
    databasePassword: cluster.passwords.superuser,
  });
  const { ports } = node;
  await ports.databases.own.query(ports.product.dialect(0).createSlot, ["slot_srv159", true]);
  const key = ledgerKey.slot("slot_srv159");
  const facts = { forNode: "srv159", walBudgetBytes: 1 };
  await ports.ledger.put(key, { operationId: "op-12345678", at: 1, facts });
  await cluster.sql("srv127", "create table wal_filler as select 1");
  const observer = createObserver(ports, 1);
  const over = await waitFor(async () => {
    const seen = await observer.observe(want);
    return (seen.database.slots[0]?.retainedBytes ?? 0) >= 1 ? seen : null;
  });
  const disk = { isFull: true };
  const ledger: typeof ports.ledger = {
    ...ports.ledger,
    put: (name, entry) =>
      disk.isFull
        ? Promise.reject(new Failure("RESOURCE_MISSING", "no space left on device"))
        : ports.ledger.put(name, entry),
  };
  const asked: string[] = [];
  const connectOwn: typeof ports.databases.connectOwn = async (database) => {
    const session = await ports.databases.connectOwn(database);
    const query: typeof session.query = (sql, parameters) => {
      asked.push(sql);
      return session.query(sql, parameters);
    };
    return { ...session, query };
  };
  const events: HostEvent[] = [];
  const guard = createWalBudgetGuard(
    { ...ports, ledger, databases: { ...ports.databases, connectOwn } },
    (event) => events.push(event),
    [],
  );
  await guard.enforce(over);
  await waitFor(() => asked.includes("CHECKPOINT"));
  expect(events.at(-1)).toMatchObject({
    severity: "critical",
    summary: "slot slot_srv159 was dropped: srv159 needs a rebuild",
  });
  // The ledger still names it: that is no reason to call the alert over.
  await guard.enforce(await observer.observe(want));
  expect(events).toHaveLength(1);
  disk.isFull = false;
  await guard.enforce(await observer.observe(want));
  expect(await ports.ledger.get(key)).toMatchObject({
    facts: { droppedForBudgetAt: expect.any(Number) },
  });
  expect(guard.warned()).toEqual(["slot_srv159"]);
  // The operation is taken back: then there is nothing to warn of any more.
  await ports.ledger.delete(key);
  await guard.enforce(await observer.observe(want));
  expect(events.at(-1)).toMatchObject({ severity: "info", cause: "wal-budget:slot_srv159" });
  expect(guard.warned()).toEqual([]);
});
