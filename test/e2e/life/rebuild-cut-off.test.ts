import { dirname } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createScene, quickSettings, type Scene } from "#test/e2e/support/scene.ts";
import { newestOperation, stepOf, untilOperation, type Operation } from "#test/e2e/support/operations.ts"; // prettier-ignore
import { expectRefusal } from "#test/e2e/support/refusal.ts";
import { follow, type Following } from "#test/e2e/support/under-way.ts";
import type { Host } from "#test/harness/host.ts";
import { settledDifferences } from "#test/harness/snapshot.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { untilStopped } from "#test/matrix/stopped.ts";

/** One cluster without a pool, whose standby is copied anew again and again. */
let scene: Scene;
let cluster: Scene["cluster"];
let castellan: Scene["castellan"];

beforeAll(async () => {
  scene = await createScene({}, { crashPoints: true, settings: quickSettings });
  ({ cluster, castellan } = scene);
}, 90_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

const rebuild = (node: string, ...more: string[]) => ["node", "rebuild", cluster.name, node, "--yes", ...more]; // prettier-ignore
const refused = (args: readonly string[], exitCode: number, ...says: string[]): Promise<void> =>
  expectRefusal(cluster, castellan, { args, exitCode, says });

test("of the primary, of no node, and of a node whose agent is away", async () => {
  await refused(rebuild("srv127"), 3, "srv127 is the primary", "castellan switchover");
  await refused(rebuild("srv999"), 3, "srv999 is no node of", "srv127, srv129");
  await castellan.killAgent("srv129");
  await refused(rebuild("srv129"), 3, "the agent of srv129 is away", "Start castellan-agent");
  await castellan.startAgent("srv129");
  await castellan.connected(["srv129"]);
});

test("where something lies in the way, or the disk is too small", async () => {
  const { host, paths } = cluster.node("srv129");
  const old = `${paths.dataDir}.castellan-old`;
  await host.makeDirectory(old, { owner: cluster.lane.osUser, mode: 0o700 });
  await refused(rebuild("srv129"), 3, `${old} is there already`);
  await host.exec(["rmdir", old]);
  await onSmallDisk(host, dirname(paths.dataDir), () =>
    refused(rebuild("srv129"), 3, "free for its data directory", "Nothing was touched"),
  );
});

test("an abort half-way, with the copy in place, brings the old data back", async () => {
  await castellan.killAgent("srv129");
  await castellan.startAgent("srv129", { CASTELLAN_STOP_AT: "step:server-launched" });
  await castellan.connected(["srv129"]);
  const following = await follow(scene, rebuild("srv129"));
  await untilStopped(castellan.agent("srv129"), "step:server-launched");
  const abort = await follow(scene, ["operation", "abort", await idOf()]);
  await untilOperation(castellan, await idOf(), ({ state }) => state === "rolling-back");
  castellan.agent("srv129").kill("SIGCONT");
  await abort.ended();
  expect(await following.ended()).toMatchObject({ operation: { state: "rolled-back" } });
  expect(await settledDifferences(scene.before, cluster, castellan)).toEqual([]);
});

test("an agent that is killed between the two renames goes on with the swap", async () => {
  await castellan.killAgent("srv129");
  await castellan.startAgent("srv129", { CASTELLAN_CRASH_AT: "step:old-directory-aside" });
  await castellan.connected(["srv129"]);
  const following = await follow(scene, rebuild("srv129"));
  await castellan.agent("srv129").exited;
  await castellan.startAgent("srv129");
  expect(await ended(following)).toMatchObject({ state: "succeeded" });
  await streaming("srv129");
});

test("a coordinator that is killed during the copy goes on with it", async () => {
  await castellan.killCoordinator();
  await castellan.startCoordinator({ CASTELLAN_CRASH_AT: "runner:step-started:base-backup" });
  await castellan.connected(["srv127", "srv129"]);
  await follow(scene, rebuild("srv129"));
  await castellan.coordinator().exited;
  await castellan.startCoordinator();
  const id = await idOf();
  const done = await untilOperation(castellan, id, ({ state }) => state !== "running");
  expect(done.state).toBe("succeeded");
  expect(stepOf(done, "base-backup").state).toBe("done");
  await streaming("srv129");
});

/** What is in the folder has moved to a disk that holds it once, not twice. */
async function onSmallDisk(host: Host, folder: string, meanwhile: () => Promise<void>) {
  const away = `${folder}.away`;
  await cluster.stop("srv129");
  await host.exec(["mv", folder, away]);
  await host.exec(["mkdir", folder]);
  const held = Number((await host.exec(["du", "-sk", away])).stdout.split("\t")[0]);
  await host.exec(["mount", "-t", "tmpfs", "-o", `size=${held + 20_000}k`, "tmpfs", folder]);
  await host.exec(["cp", "-a", `${away}/.`, folder]);
  await cluster.start("srv129");
  await streaming("srv129");
  try {
    await meanwhile();
  } finally {
    await cluster.stop("srv129");
    await host.exec(["umount", folder]);
    await host.exec(["rmdir", folder]);
    await host.exec(["mv", away, folder]);
    await cluster.start("srv129");
    await streaming("srv129");
  }
}

async function ended(following: Following): Promise<Operation> {
  return (await following.ended()).operation;
}

async function idOf(): Promise<string> {
  const id = (await newestOperation(castellan))?.id;
  if (id === undefined) throw new Error("no operation");
  return id;
}

async function streaming(node: string): Promise<void> {
  await waitFor(
    async () =>
      (await cluster.sql("srv127", `SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = '${node}'`)).length === 1, // prettier-ignore
    { timeoutMs: 30_000, what: `${node} to stream from srv127` },
  );
}
