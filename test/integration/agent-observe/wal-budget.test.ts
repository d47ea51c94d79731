import { expect, test } from "vitest";
import type { HostEvent } from "#agent/host-event.ts";
import { createWalBudgetGuard } from "#agent/guard/wal-budget-guard.ts";
import { slotIdentity } from "#agent/adapters/slot-directory.ts";
import { createObserver, type ObserverPorts } from "#agent/observe/observer.ts";
import { Failure } from "#shared/errors.ts";
import { ledgerKey } from "#agent/steps/ledger-keys.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { clusterNodeSettings, createNodePorts, ownHosts } from "./node-ports.ts";

const want = { fresh: true, settings: false, host: false };
const segment = 16 * 1024 * 1024;

/** The slot that is there, as an operation of ours would have left it in the ledger. */
async function noteAsOurs(ports: ObserverPorts, name: string, walBudgetBytes: number | null) {
  const identity = await slotIdentity(ports.settings.paths.dataDirectory, name);
  expect(identity).not.toBeNull();
  const forNode = name.replace("slot_", "");
  const facts = { forNode, reserve: true, walBudgetBytes, identity };
  await ports.ledger.put(ledgerKey.slot(name), { operationId: "op-12345678", at: 1, facts });
}

/** A primary alone with a slot that holds something, at its budget of one byte. */
async function overBudget() {
  const lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  const cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  const node = await createNodePorts({
    settings: clusterNodeSettings(cluster, "srv127"),
    databasePassword: cluster.passwords.superuser,
  });
  const { ports } = node;
  await ports.databases.own.query(ports.product.dialect(0).createSlot, ["slot_srv159", true]);
  await noteAsOurs(ports, "slot_srv159", 1);
  await cluster.sql("srv127", "create table wal_filler as select 1");
  const observer = createObserver(ports, 1);
  const over = await waitFor(async () => {
    const seen = await observer.observe(want);
    return (seen.database.slots[0]?.retainedBytes ?? 0) >= 1 ? seen : null;
  });
  const events: HostEvent[] = [];
  const key = ledgerKey.slot("slot_srv159");
  return {
    ports,
    observer,
    over,
    events,
    key,
    slots: async () => (await observer.observe(want)).database.slots.map((slot) => slot.name),
    guard: (changed: Partial<ObserverPorts> = {}, open: readonly string[] = []) =>
      createWalBudgetGuard({ ...ports, ...changed }, (event) => events.push(event), open),
    [Symbol.asyncDispose]: async () => {
      await node[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
    },
  };
}

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
    await noteAsOurs(ports, "slot_srv129", 10 * segment);
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
    // The decision, with its rule and what was looked at, stays on this host.
    expect(await ports.ledger.get(ledgerKey.slot("slot_srv129"))).toMatchObject({
      facts: {
        droppedForBudgetAt: expect.any(Number),
        dropping: {
          rule: "slot-over-budget",
          facts: { budgetBytes: 10 * segment, role: "primary", disk: expect.anything() },
        },
      },
    });
    expect(after.agent.droppedSlots).toMatchObject([
      { name: "slot_srv129", forNode: "srv129", needsRebuild: true, rule: "slot-over-budget" },
    ]);

    const told = events.length;
    await guard.enforce(after);
    expect(events).toHaveLength(told);
    expect(guard.openCauses()).toEqual(["slot-dropped:slot_srv129"]);

    // A person makes a slot while the WAL is still there: the standby goes on, and nothing is to be rebuilt.
    await ports.databases.own.query(dialect.createSlot, ["slot_srv129", true]);
    await waitFor(async () => {
      const seen = await observer.observe(want);
      await guard.enforce(seen);
      return seen.database.replication.some(({ state }) => state === "streaming");
    });
    await waitFor(async () => {
      await guard.enforce(await observer.observe(want));
      return guard.openCauses().length === 0;
    });
    expect(events.at(-1)).toMatchObject({
      severity: "info",
      cause: "slot-dropped:slot_srv129",
      summary: "srv129 streams from here again",
    });
    const again = await observer.observe(want);
    expect(again.agent).toMatchObject({ ownSlots: [], droppedSlots: [] });
  });
}

test("a slot that the ledger no longer names is not dropped, whatever the last look said", async () => {
  await using lab = await overBudget();
  await lab.ports.ledger.delete(lab.key);
  await lab.guard().enforce(lab.over);
  expect(await lab.slots()).toEqual(["slot_srv159"]);
  expect(lab.events).toEqual([]);
});

test("a slot of our slot's name that someone else made is told, and never dropped", async () => {
  await using lab = await overBudget();
  const { ports, observer, events } = lab;
  const dialect = ports.product.dialect(0);
  await ports.databases.own.query(dialect.dropSlot, ["slot_srv159"]);
  await ports.databases.own.query(dialect.createSlot, ["slot_srv159", true]);
  const guard = lab.guard();
  // Seen before it was remade: known only right before the effect.
  await guard.enforce(lab.over);
  expect(events).toMatchObject([
    { severity: "critical", summary: expect.stringContaining("could not be dropped") },
  ]);
  const seen = await waitFor(async () => {
    const facts = await observer.observe(want);
    return (facts.database.slots[0]?.retainedBytes ?? 0) >= 1 ? facts : null;
  });
  expect(seen.agent.ownSlots).toMatchObject([{ name: "slot_srv159", isReplaced: true }]);
  await guard.enforce(seen);
  expect(events.at(-1)).toMatchObject({ cause: "slot-replaced:slot_srv159", severity: "warning" });
  const told = events.length;
  await guard.enforce(await observer.observe(want));
  expect(events).toHaveLength(told);
  expect(await lab.slots()).toEqual(["slot_srv159"]);
});

test("an agent that was killed between the drop and its note finds the decision and marks the standby", async () => {
  await using lab = await overBudget();
  const { ports, key, events } = lab;
  // Everything goes well up to the note.
  let puts = 0;
  const dies: typeof ports.ledger = {
    ...ports.ledger,
    put: (name, entry) => {
      puts += 1;
      return puts === 1 ? ports.ledger.put(name, entry) : new Promise(() => undefined);
    },
  };
  void lab.guard({ ledger: dies }).enforce(lab.over);
  await waitFor(async () => puts === 2 && (await lab.slots()).length === 0);
  expect((await ports.ledger.get(key))?.facts).not.toHaveProperty("droppedForBudgetAt");
  expect(events).toEqual([]);

  const after = await lab.observer.observe(want);
  await lab.guard().enforce(after);
  expect(events).toMatchObject([
    { severity: "critical", summary: "slot slot_srv159 was dropped: srv159 needs a rebuild" },
  ]);
  expect((await ports.ledger.get(key))?.facts).toHaveProperty("droppedForBudgetAt");
});

test("a drop that was decided and is not needed any more is forgotten: who drops the slot then was not us", async () => {
  await using lab = await overBudget();
  const { ports, key, observer, events } = lab;
  const entry = await ports.ledger.get(key);
  if (entry === null) throw new Error("no entry");
  // Killed before the effect; meanwhile the site has raised the budget.
  const decision = { at: 1, rule: "slot-over-budget", reason: "", needsRebuild: true, facts: {} };
  const facts = { ...entry.facts, walBudgetBytes: 1e12, dropping: decision };
  await ports.ledger.put(key, { ...entry, facts });
  const guard = lab.guard();
  await guard.enforce(await observer.observe(want));
  await ports.databases.own.query(ports.product.dialect(0).dropSlot, ["slot_srv159"]);
  const { agent } = await observer.observe(want);
  await guard.enforce(await observer.observe(want));
  expect(events).toEqual([]);
  expect(agent).toMatchObject({ ownSlots: [{ name: "slot_srv159" }], droppedSlots: [] });
});

test("a slot made before a promotion has its budget after it, by this host's own setting", async () => {
  await using lab = await createLab({ hosts: ownHosts("srv127", "srv129"), mode: "loopback" });
  await using cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    nodes: ["srv127", "srv129"],
  });
  const settings = clusterNodeSettings(cluster, "srv129");
  const slots = { ...settings.guard.slots, budgetBytes: 4 * segment };
  await using node = await createNodePorts({
    settings: { ...settings, guard: { ...settings.guard, slots } },
    databasePassword: cluster.passwords.superuser,
  });
  const { ports } = node;
  await ports.databases.own.query(ports.product.dialect(0).createSlot, ["slot_srv159", true]);
  await noteAsOurs(ports, "slot_srv159", null);
  const events: HostEvent[] = [];
  const guard = createWalBudgetGuard(ports, (event) => events.push(event), []);
  const observer = createObserver(ports, 1);
  await guard.enforce(await observer.observe(want));
  expect(events).toEqual([]);

  await cluster.stop("srv127", "immediate");
  const { host, paths } = cluster.node("srv129");
  const user = cluster.lane.osUser;
  await host.exec([paths.control, "promote", "-w", "-D", paths.dataDir], { user });
  for (let i = 0; i < 5; i += 1) {
    await cluster.sql("srv129", "create table if not exists wal_filler (id int)");
    await cluster.sql("srv129", "insert into wal_filler values (1)");
    await cluster.sql("srv129", "select pg_switch_wal()");
  }
  await waitFor(async () => {
    await guard.enforce(await observer.observe(want));
    return events.some(({ cause }) => cause === "slot-dropped:slot_srv159");
  });
  expect((await observer.observe(want)).agent.droppedSlots).toMatchObject([
    { name: "slot_srv159", rule: "slot-over-budget", needsRebuild: true },
  ]);
});

test("on a full disk the slot goes and a checkpoint is asked for all the same; the ledger hears of it later", async () => {
  await using lab = await overBudget();
  const { ports, observer, events, key } = lab;
  const disk = { isFull: true };
  const ledger: typeof ports.ledger = {
    ...ports.ledger,
    put: (name, entry) =>
      disk.isFull
        ? Promise.reject(new Failure("RESOURCE_MISSING", "no space left on device"))
        : ports.ledger.put(name, entry),
  };
  const asked: string[] = [];
  const connectOwn: typeof ports.databases.connectOwn = async (database, options) => {
    const session = await ports.databases.connectOwn(database, options);
    const query: typeof session.query = (sql, parameters) => {
      asked.push(sql);
      return session.query(sql, parameters);
    };
    return { ...session, query };
  };
  const guard = lab.guard({ ledger, databases: { ...ports.databases, connectOwn } });
  await guard.enforce(lab.over);
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
  expect(guard.openCauses()).toEqual(["slot-dropped:slot_srv159"]);
  // The operation is taken back: then there is nothing to warn of any more.
  await ports.ledger.delete(key);
  await guard.enforce(await observer.observe(want));
  expect(events.at(-1)).toMatchObject({ severity: "info", cause: "slot-dropped:slot_srv159" });
  expect(guard.openCauses()).toEqual([]);
});
