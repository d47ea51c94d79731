import { existsSync, symlinkSync } from "node:fs";
import { rm, statfs } from "node:fs/promises";
import { execa } from "execa";
import { expect, test } from "vitest";
import { slotIdentity } from "#agent/adapters/slot-directory.ts";
import type { HostEvent } from "#agent/host-event.ts";
import { createLoop } from "#agent/loop.ts";
import { ledgerKey } from "#agent/steps/ledger-keys.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { chooseLane } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import {
  clusterNodeSettings,
  createNodePorts,
  ownHosts,
} from "#test/integration/agent-observe/node-ports.ts";
import { noSelfFence } from "#test/unit/agent/no-self-fence.ts";

const mib = 1024 * 1024;
const gib = 1024 * mib;

/**
 * A primary and a standby; the primary's WAL is a symbolic link to a small filesystem of its own. One agent's loop, on
 * the primary, with nobody to report to.
 */
async function startBed(product: "postgresql" | "kingbase-v8r3", archiveCommand: string) {
  const lab = await createLab({ hosts: ownHosts("srv127", "srv129"), mode: "loopback" });
  const { major } = chooseLane(lab, { product });
  const cluster = await createCluster(lab, {
    product,
    nodes: ["srv127", "srv129"],
    settings: {
      min_wal_size: "32MB",
      max_wal_size: "64MB",
      archive_mode: "on",
      archive_command: `'${archiveCommand}'`,
      ...(major < 13 ? { wal_keep_segments: "0" } : { wal_keep_size: "0" }),
    },
  });
  const { dataDir } = cluster.node("srv127").paths;
  const disk = `${lab.folder}/wal-disk`;
  await cluster.stop("srv127");
  await execa("mkdir", [disk]);
  await execa("mount", ["-t", "tmpfs", "-o", "size=512m", "castellan-test", disk]);
  await execa("cp", ["-a", `${dataDir}/pg_wal`, `${disk}/wal`]);
  await rm(`${dataDir}/pg_wal`, { recursive: true });
  await execa("chmod", ["755", disk]);
  symlinkSync(`${disk}/wal`, `${dataDir}/pg_wal`);
  await cluster.start("srv127");
  await cluster.sql("srv127", "create table wal_filler (id int)");

  const node = await createNodePorts({
    settings: clusterNodeSettings(cluster, "srv127"),
    databasePassword: cluster.passwords.superuser,
  });
  const { ports } = node;
  const events: HostEvent[] = [];
  const loop = createLoop({
    ports,
    expected: node.expected,
    startedAt: 1,
    onFacts: () => undefined,
    onHostEvent: (event) => events.push(event),
    selfFence: noSelfFence,
  });
  const freeBytes = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(disk);
    return bavail * bsize;
  };
  return {
    cluster,
    ports,
    loop,
    events,
    disk,
    freeBytes,
    /** The slot that the standby streams through, as an operation of ours would have made it. */
    noteAsOurs: async () => {
      const identity = await slotIdentity(dataDir, "slot_srv129");
      await ports.ledger.put(ledgerKey.slot("slot_srv129"), {
        operationId: "op-12345678",
        at: 1,
        facts: { forNode: "srv129", reserve: true, walBudgetBytes: 64 * gib, identity },
      });
    },
    /** One segment of WAL. */
    write: async () => {
      await cluster.sql("srv127", "insert into wal_filler values (1)");
      await cluster.sql("srv127", "select pg_switch_wal()");
    },
    fillUpTo: async (bytes: number) => {
      const left = (await freeBytes()) - bytes;
      await execa("fallocate", ["-l", String(left), `${disk}/of-somebody-else`]);
    },
    about: (cause: string) => events.filter((event) => event.cause === cause),
    slots: async () =>
      (await cluster.sql("srv127", "select slot_name from pg_replication_slots")).map(
        (row) => row["slot_name"],
      ),
    startedAt: async () =>
      (await cluster.sql("srv127", "select pg_postmaster_start_time()::text as at"))[0]?.["at"],
    [Symbol.asyncDispose]: async () => {
      await loop[Symbol.asyncDispose]();
      await node[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
      if (existsSync(disk)) await execa("umount", [disk]);
      await lab[Symbol.asyncDispose]();
    },
  };
}

for (const product of ["postgresql", "kingbase-v8r3"] as const) {
  test(`${product}: the slot of a standby that is away goes before the WAL's own small disk is full, and the primary lives`, async () => {
    await using bed = await startBed(product, "true");
    const { cluster, events } = bed;
    const startedAt = await bed.startedAt();
    await bed.noteAsOurs();
    await bed.loop.observeNow();
    await cluster.stop("srv129");
    let least = Number.POSITIVE_INFINITY;
    let isOver = false;
    // Some 40 MB a second without end: 512 MB are full in a quarter of a minute.
    const writer = (async () => {
      while (!isOver) {
        await bed.write();
        least = Math.min(least, await bed.freeBytes());
        await bed.ports.clock.sleep(350);
      }
    })();
    const [told] = await waitFor(
      () => {
        const found = bed.about("slot-dropped:slot_srv129");
        return found.length > 0 ? found : null;
      },
      { timeoutMs: 60_000, what: "the drop" },
    );
    expect(told).toMatchObject({
      severity: "critical",
      summary: "slot slot_srv129 was dropped: srv129 needs a rebuild",
    });
    expect(told?.detail).toMatch(/^rule wal-disk-(fills|short): /);
    expect(told?.detail).toContain('"fillBytesPerSecond"');
    // The checkpoint gives the space back while the load goes on.
    await waitFor(async () => (await bed.freeBytes()) > 256 * mib, { timeoutMs: 30_000 });
    isOver = true;
    await writer;
    expect(least).toBeGreaterThan(0);
    expect(await bed.startedAt()).toBe(startedAt);
    expect(await bed.slots()).toEqual([]);
    const { agent } = await bed.loop.observeNow();
    expect(agent.droppedSlots).toMatchObject([{ forNode: "srv129", needsRebuild: true }]);
    expect(events.filter(({ cause }) => cause === "wal-disk")).toEqual([]);
  });
}

test("a disk that others fill costs no standby that streams: that is said, with where to look", async () => {
  await using bed = await startBed("postgresql", "true");
  await bed.noteAsOurs();
  await bed.loop.observeNow();
  await bed.fillUpTo(40 * mib);
  const [told] = await waitFor(() => {
    const found = bed.about("wal-disk");
    return found.length > 0 ? found : null;
  });
  expect(told).toMatchObject({ severity: "critical" });
  expect(told?.detail).toContain("something else fills the disk");
  await bed.loop.observeNow();
  expect(await bed.slots()).toEqual(["slot_srv129"]);
  await rm(`${bed.disk}/of-somebody-else`);
  await waitFor(() => bed.about("wal-disk").at(-1)?.severity === "info", { timeoutMs: 30_000 });
});

test("a failing archiver costs no slot: dropping one would free nothing, and its backlog is told", async () => {
  await using bed = await startBed("postgresql", "false");
  await bed.noteAsOurs();
  await bed.cluster.stop("srv129");
  for (let i = 0; i < 10; i += 1) await bed.write();
  await bed.loop.observeNow();
  const { database } = await bed.loop.observeNow();
  const held = database.slots[0]?.retainedBytes ?? 0;
  expect(held).toBeGreaterThan(150 * mib);
  expect(database.archiver?.backlog).toMatchObject({ isCut: false });
  expect(database.archiver?.backlog?.bytes).toBeGreaterThanOrEqual(held - 32 * mib);
  await bed.fillUpTo(40 * mib);
  const [told] = await waitFor(() => {
    const found = bed.about("wal-disk");
    return found.length > 0 ? found : null;
  });
  expect(told?.detail).toContain("the archiver keeps");
  await waitFor(() => bed.about("guard:archiver-failing").length > 0, { timeoutMs: 30_000 });
  expect(bed.about("guard:archiver-failing")[0]?.detail).toContain("dropping slots does not help");
  expect(await bed.slots()).toEqual(["slot_srv129"]);
});
