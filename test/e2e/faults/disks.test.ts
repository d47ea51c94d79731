import { afterAll, beforeAll, expect, test } from "vitest";
import { mountDisk, type TestDisk } from "#test/harness/faults/disk.ts";
import { slowFsync } from "#test/harness/faults/slow-fsync.ts";
import { takeSnapshot } from "#test/harness/snapshot.ts";
import { stepOf, untilOperation } from "../support/operations.ts";
import {
  abortWhileStopped,
  addingStoppedAt,
  startToStopAt,
  untilStopped,
} from "../support/instant.ts";
import { createScene, expectAsBefore, untilLogged, type Scene } from "../support/scene.ts";
import { addIntoTheCopy, takeBack, untilCopying, untilRest } from "../support/under-way.ts";

/**
 * One cluster, whose new node, two agents and coordinator each have a disk of their own that breaks in the middle of
 * a run. After every fault the hosts are as they were before it; the last run adds the node in spite of all.
 */
let scene: Scene;
let cluster: Scene["cluster"];
let castellan: Scene["castellan"];
const disks: TestDisk[] = [];
const disk = { data: 0, target: 1, primary: 2, coordinator: 3 } as const;

beforeAll(async () => {
  scene = await createScene({ sizeMb: 30 }, { crashPoints: true });
  ({ cluster, castellan } = scene);
  const { host, paths } = cluster.node("srv159");
  await Promise.all(["srv127", "srv159"].map((node) => castellan.killAgent(node)));
  await castellan.killCoordinator();
  const owner = cluster.lane.osUser;
  const state = { sizeMb: 24, owner } as const;
  disks.push(await mountDisk(host, paths.root, { sizeMb: 1_500, inodes: 5_000, owner }));
  disks.push(await mountDisk(host, "/var/lib/castellan-agent", state));
  const primary = cluster.node("srv127").host;
  disks.push(await mountDisk(primary, "/var/lib/castellan-agent", state));
  disks.push(await mountDisk(castellan.coordinatorHost, castellan.stateDirectory, state));
  await castellan.startCoordinator();
  await Promise.all(["srv127", "srv159"].map((node) => castellan.startAgent(node)));
  await castellan.connected(["srv127", "srv129", "srv159"]);
  scene = { ...scene, before: await takeSnapshot(cluster, castellan) };
}, 90_000);

afterAll(async () => {
  await castellan?.[Symbol.asyncDispose]();
  if (await cluster?.isRunning("srv159")) await cluster.stop("srv159", "immediate");
  await cluster?.[Symbol.asyncDispose]();
  for (const one of disks) await one[Symbol.asyncDispose]();
  await scene?.lab[Symbol.asyncDispose]();
  scene?.lab.assertNoLeftovers();
});

const staging = "/var/lib/postgresql/ESHA/data.castellan-copy";
/** About eight seconds of copying. */
const slowly = ["--max-rate", "10M"];

test("a target whose disk is full in the copy says which disk and how much it lacks; an abort needs no space", async () => {
  const { id, cli } = await addIntoTheCopy(scene, ...slowly);
  await using full = await diskOf("data").fill();
  const { operation, said } = await untilRest(scene, id, "paused");
  expect(said).toContain(
    "RESOURCE_MISSING: the disk under /var/lib/postgresql/ESHA could not take",
  );
  expect(said).toMatch(/\d+ of \d+ bytes and \d+ inodes are free on \/var\/lib\/postgresql\/ESHA/);
  expect(said).toMatch(/next: Make room for \d+ bytes more/);
  expect(said).toContain("No space left on device");
  // A second attempt would only have copied the same up to the same place.
  expect(stepOf(operation, "base-backup").attempt).toBe(1);
  expect(await cli.exited).toBe(4);
  await isWell();
  await takeBack(scene, { id });
  await full.heal();
  await isAsBefore();
});

test("a target without inodes goes on after there are some; one that turns read-only keeps the copy until it can be removed", async () => {
  const { id, cli } = await addIntoTheCopy(scene, ...slowly);
  {
    await using _none = await diskOf("data").useUpInodes();
    const { said } = await untilRest(scene, id, "paused");
    expect(said).toMatch(/RESOURCE_MISSING: the disk under \/var\/lib\/postgresql\/ESHA could not/);
    expect(said).toContain("df -i");
    expect(await cli.exited).toBe(4);
  }
  const resumed = await castellan.spawnCli(["operation", "resume", id]);
  await untilCopying(scene);
  const broken = await diskOf("data").failReadOnly();
  const { operation, said } = await untilRest(scene, id, "paused");
  expect(said).toContain("/var/lib/postgresql/ESHA turned read-only during the copy");
  expect(said).toContain("mount it writable again");
  expect(stepOf(operation, "base-backup").attempt).toBe(2);
  expect(await resumed.exited).toBe(4);

  const answer = await castellan.cli(["operation", "abort", id], { reject: false });
  expect(answer.exitCode).toBe(5);
  const left = await untilRest(scene, id, "needs-attention");
  expect(left.said).toContain("Could not take back base-backup/srv159");
  expect(left.said).toContain("rm -r");
  expect(left.said).toContain("data.castellan-copy");
  await isWell();

  await broken.heal();
  await takeBack(scene, { id });
  await isAsBefore();
});

test("a target that turns read-only between the copy and its configuration stops there, and nothing starts on it", async () => {
  const { id, cli } = await addingStoppedAt(scene, "srv159", "agent:checked:write-node-files");
  const broken = await diskOf("data").failReadOnly();
  castellan.agent("srv159").kill("SIGCONT");
  const { said } = await untilRest(scene, id, "paused");
  expect(said).toContain("EROFS: read-only file system");
  expect(said).toMatch(/\d+ bytes and \d+ inodes are free on \/var\/lib\/postgresql\/ESHA/);
  expect(said).toContain("see the kernel log and remount it");
  expect(await cli.exited).toBe(4);
  expect(await cluster.isRunning("srv159")).toBe(false);
  await broken.heal();
  // The copy that is there is used: what is resumed writes the files and starts.
  await startToStopAt(scene, { of: "srv159", point: "agent:checked:start-database" });
  const resumed = await castellan.spawnCli(["operation", "resume", id]);
  await untilStopped(castellan.agent("srv159"));
  await abortWhileStopped(scene, id, "srv159");
  expect(await resumed.exited).toBe(5);
  await isAsBefore();
});

test("a primary whose agent can't note what it is about to make makes nothing, and goes on when there is space", async () => {
  const { id, cli } = await addingStoppedAt(scene, "srv127", "agent:checked:create-slot");
  const full = await diskOf("primary").fill();
  castellan.agent("srv127").kill("SIGCONT");
  const { said } = await untilRest(scene, id, "paused");
  expect(said).toMatch(/\/var\/lib\/castellan-agent\/ledger\/\S+ can't be written: ENOSPC/);
  expect(said).toMatch(/0 of \d+ bytes and \d+ inodes are free on \/var\/lib\/castellan-agent/);
  expect(said).toContain("Free space on that filesystem.");
  expect(await cli.exited).toBe(4);
  expect(await slots()).toEqual(["slot_srv129"]);

  // The agent starts on a disk without a byte to spare: its guard is what a full disk needs.
  await castellan.killAgent("srv127");
  await castellan.startAgent("srv127");
  await castellan.connected(["srv127"]);
  const refused = await castellan.cli(["operation", "abort", id], { reject: false });
  expect(refused.exitCode).toBe(5);
  const left = await untilRest(scene, id, "needs-attention");
  expect(left.said).toMatch(/\/var\/lib\/castellan-agent\/commands\/\S+ can't be written: ENOSPC/);
  expect(left.said).toContain("pg_hba.conf");
  await isWell();

  await full.heal();
  await takeBack(scene, { id });
  await isAsBefore();
});

test("a target whose agent's disk is full at the end of the copy keeps the copy, and an agent started there then uses it", async () => {
  const { id, cli } = await addIntoTheCopy(scene, ...slowly);
  const full = await diskOf("target").fill();
  const { said } = await untilRest(scene, id, "paused");
  expect(said).toMatch(/\/var\/lib\/castellan-agent\/\S+ can't be written: ENOSPC/);
  expect(said).toMatch(/\d+ of \d+ bytes and \d+ inodes are free on \/var\/lib\/castellan-agent/);
  expect(await cli.exited).toBe(4);
  await castellan.killAgent("srv159");
  await castellan.startAgent("srv159", { CASTELLAN_STOP_AT: "agent:checked:start-database" });
  await castellan.connected(["srv159"]);
  await full.heal();
  const copied = await inodeOf(staging);
  const resumed = await castellan.spawnCli(["operation", "resume", id]);
  await untilStopped(castellan.agent("srv159"));
  expect(await inodeOf(cluster.node("srv159").paths.dataDir)).toBe(copied);
  await abortWhileStopped(scene, id, "srv159");
  expect(await resumed.exited).toBe(5);
  await isAsBefore();
});

test("a coordinator whose disk turns read-only begins nothing more; mounted again and started, it goes on", async () => {
  await startToStopAt(scene, { of: "srv159", point: "agent:checked:write-node-files" });
  const { id, cli } = await addIntoTheCopy(scene, ...slowly);
  const since = (await castellan.logs(null)).length;
  const broken = await diskOf("coordinator").failReadOnly();
  await untilLogged(scene, null, /journal/, since);
  // The statuses of docs/errors.md: of the coordinator, of a client that finds none, of what needs the journal.
  expect(await castellan.coordinator().exited).toBe(12);
  expect(await saying("status")).toMatchObject({ exitCode: 6 });
  for (const words of ["store check", "coordinator run"]) {
    const said = await saying(...words.split(" "));
    expect(said).toMatchObject({ exitCode: 12, stderr: expect.stringContaining("read-only") });
    expect(said.stderr).toContain(castellan.stateDirectory);
  }
  await broken.heal();
  await castellan.startCoordinator();
  await untilStopped(castellan.agent("srv159"));
  const seen = await untilOperation(castellan, id, () => true);
  expect(stepOf(seen, "base-backup")).toMatchObject({ state: "done", attempt: 1 });
  await abortWhileStopped(scene, id, "srv159");
  expect(await cli.exited).toBe(5);
  await isAsBefore();
});

test("with slow disks nothing runs out of time, and a full one of the coordinator is waited for: the node is added", async () => {
  // A clean stop leaves a journal without its log: the first thing that is written needs space.
  castellan.coordinator().kill("SIGTERM");
  await castellan.coordinator().exited;
  await castellan.startCoordinator();
  await castellan.connected(["srv127", "srv129", "srv159"]);
  await using _slow = await slowFsync(castellan.coordinator().pid, 100);
  await using _slower = await slowFsync(castellan.agent("srv159").pid, 200);
  const { id, cli } = await addIntoTheCopy(scene, ...slowly);
  const since = (await castellan.logs(null)).length;
  const full = await diskOf("coordinator").fill();
  await untilLogged(scene, null, /the runner itself failed/, since);
  expect(await saying("token", "create", "--node", "srv160")).toMatchObject({
    exitCode: 12,
    stderr: expect.stringContaining("/journal.db can't be used: database or disk is full"),
  });
  const stdout = (await castellan.cli(["status"])).stdout.replaceAll(/\s+/g, " ");
  expect(stdout).toContain(`operation ${id} stands still, and goes on by itself`);
  expect(stdout).toMatch(/journal can't be written \(.*full/);
  await isWell();
  await full.heal();
  await untilRest(scene, id, "succeeded");
  expect(await cli.exited).toBe(0);
  const rows = "SELECT count(*)::int AS n FROM bulk";
  expect(await cluster.sql("srv159", rows)).toEqual(await cluster.sql("srv127", rows));
});

function saying(...words: readonly string[]): ReturnType<Scene["castellan"]["cli"]> {
  return castellan.cli(words, { reject: false });
}

function diskOf(name: keyof typeof disk): TestDisk {
  const found = disks[disk[name]];
  if (found === undefined) throw new Error(`no disk ${name}`);
  return found;
}

async function slots(): Promise<readonly unknown[]> {
  const rows = await cluster.sql(
    "srv127",
    "SELECT slot_name::text AS name FROM pg_replication_slots ORDER BY 1",
  );
  return rows.map(({ name }) => name);
}

/** The inode of a folder: the same folder under another name has the same. */
async function inodeOf(folder: string): Promise<string> {
  return (await cluster.node("srv159").host.exec(["stat", "-c", "%i", folder])).stdout;
}

/** The databases that were there go on as if nothing had happened. */
async function isWell(): Promise<void> {
  const streaming = "SELECT count(*)::int AS n FROM pg_stat_replication WHERE state = 'streaming' AND application_name = 'srv129'"; // prettier-ignore
  expect(await cluster.sql("srv127", streaming)).toEqual([{ n: 1 }]);
  expect(await cluster.isRunning("srv129")).toBe(true);
}

async function isAsBefore(): Promise<void> {
  await isWell();
  await expectAsBefore(scene);
}
