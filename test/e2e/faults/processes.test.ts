import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  killMatching,
  killPostmaster,
  stopMatching,
  stopTree,
} from "#test/harness/faults/process.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import {
  backupProcess,
  newestOperation,
  stepOf,
  untilOperation,
  untilWell,
} from "../support/operations.ts";
import {
  abortWhileStopped,
  addingStoppedAt,
  startToStopAt,
  untilStopped,
} from "../support/instant.ts";
import {
  createScene,
  expectAsBefore,
  expectServing,
  untilLogged,
  type Scene,
} from "../support/scene.ts";
import { addIntoTheCopy, takeBack, untilCopying, untilRest } from "../support/under-way.ts";

/** One cluster with two pools, whose processes die or stand still in the middle of a run. */
let scene: Scene;
let cluster: Scene["cluster"];
let castellan: Scene["castellan"];

beforeAll(async () => {
  scene = await createScene(
    { sizeMb: 30, pool: true },
    { crashPoints: true, settings: "addNode: { stallMs: 6000 }\n" },
  );
  ({ cluster, castellan } = scene);
}, 90_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

/** What keeps the cluster from the next test is no part of what this one says. */
afterEach(async () => {
  for (const signal of [
    castellan.agent("srv127"),
    castellan.agent("srv159"),
    castellan.coordinator(),
  ])
    signal.kill("SIGCONT");
  const newest = await newestOperation(castellan);
  if (newest === null || ["succeeded", "rolled-back"].includes(newest.state)) return;
  await castellan.cli(["operation", "abort", newest.id], { reject: false });
});

const slowly = ["--max-rate", "10M"];
const copier = "^/usr/lib/postgresql/15/bin/pg_basebackup ";

test("a copy that is killed, that stands still or that loses its server is begun anew by itself, each time from nothing", async () => {
  const { id, cli, copy: first } = await addIntoTheCopy(scene, ...slowly);
  expect(await killMatching(cluster.node("srv159").host, copier)).toBeGreaterThan(0);
  const second = await untilCopyAfter(first);

  await using stopped = await stopMatching(cluster.node("srv159").host, copier);
  const third = await untilCopyAfter(second);
  // It was ended although it could not hear: nothing writes into the new copy but the new program.
  expect((await backupProcess(cluster.node("srv159"))).split("\n")).toHaveLength(1);
  await stopped.heal();

  // The kernel's way with a backend out of memory: the server ends all its sessions and recovers.
  const [backend] = await cluster.sql(
    "srv127",
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> '' AND pid <> pg_backend_pid() LIMIT 1",
  );
  await cluster.node("srv127").host.exec(["kill", "-KILL", String(backend?.["pid"])]);
  await untilCopyAfter(third);
  const seen = await untilOperation(castellan, id, ({ steps }) => steps.length > 0);
  expect(stepOf(seen, "base-backup").attempt).toBe(4);
  const said = (await castellan.cli(["why", id])).stdout;
  expect(said.match(/base-backup\/srv159: again-with-backoff/g)).toHaveLength(3);
  await isWell();
  await takeBack(scene, { id });
  expect(await cli.exited).toBe(5);
  await isAsBefore();
});

test("an agent and a coordinator that stand still for longer than they are waited for go on when they can", async () => {
  await startToStopAt(scene, { of: "srv159", point: "agent:checked:write-node-files" });
  const { id, cli, copy } = await addIntoTheCopy(scene, ...slowly);
  const [since, sinceThen] = [await castellan.logs(null), await castellan.logs("srv127")];
  const agent = await stopTree(castellan.agent("srv159").pid);
  await untilLogged(scene, null, /the agent of srv159 is gone/, since.length);
  const coordinator = await stopTree(castellan.coordinator().pid);
  await untilLogged(scene, "srv127", /nothing heard for \d+ ms/, sinceThen.length);
  expect(await backupProcess(cluster.node("srv159"))).toBe(copy);
  await isWell();
  await agent.heal();
  await coordinator.heal();
  await castellan.connected(["srv127", "srv129", "srv159"]);
  await untilStopped(castellan.agent("srv159"));
  const seen = await untilOperation(castellan, id, () => true);
  expect(stepOf(seen, "base-backup")).toMatchObject({ state: "done", attempt: 1 });
  await abortWhileStopped(scene, id, "srv159");
  expect(await cli.exited).toBe(5);
  await isAsBefore();
});

test("a new standby that dies between its start and the comparison pauses the run; started again, it is compared", async () => {
  const { id, cli } = await addingStoppedAt(scene, "srv159", "agent:checked:verify-data");
  const { host, paths } = cluster.node("srv159");
  await killPostmaster(host, paths.pidFile);
  castellan.agent("srv159").kill("SIGCONT");
  const { said } = await untilRest(scene, id, "paused");
  expect(said).toContain("the server ended without a clean stop");
  expect(said).toContain("Mend that and start it; or abort");
  expect(await cli.exited).toBe(4);
  await isWell();
  await cluster.start("srv159");
  await startToStopAt(scene, { of: "srv159", point: "agent:checked:join-regime" });
  const resumed = await castellan.spawnCli(["operation", "resume", id]);
  await untilStopped(castellan.agent("srv159"));
  await abortWhileStopped(scene, id, "srv159");
  expect(await resumed.exited).toBe(5);
  // Of the start by hand.
  await host.exec(["rm", paths.logFile]);
  await isAsBefore();
});

test("a door that is held opens by itself when the agent stands still and its helper and a pool are dead", async () => {
  const { id, cli } = await addingStoppedAt(scene, "srv127", "agent:checked:attach-backend");
  await killMatching(cluster.node("srv127").host, "castellan-root");
  await killMatching(cluster.node("srv129").host, poolProcess);
  await doorsAreOpen();
  castellan.agent("srv127").kill("SIGCONT");
  const { said } = await untilRest(scene, id, "paused");
  // Which pool, and what of it: the step itself is the coordinator's.
  expect(said).toMatch(/(?:REFUSED|POOL_UNREACHABLE|STALLED): srv12[79]: /);
  expect(await cli.exited).toBe(4);
  await cluster.pools?.start("srv129");
  await takeBack(scene, { id });
  await isAsBefore();
});

const poolProcess = "^(/usr/sbin/)?pgpool";

/** Whatever was held, the kernel lets go of it by itself. */
async function doorsAreOpen(): Promise<void> {
  for (const { host, name } of cluster.pools?.nodes ?? []) {
    await waitFor(
      async () => !(await host.exec(["nft", "list", "ruleset"])).stdout.includes("elements"),
      { timeoutMs: 5_000, what: `the door of ${name} to be open` },
    );
  }
}

test("an existing standby that dies in the copy keeps nobody from adding the node", async () => {
  const { id, cli } = await addIntoTheCopy(scene, ...slowly);
  const { host, paths } = cluster.node("srv129");
  await killPostmaster(host, paths.pidFile);
  await untilRest(scene, id, "succeeded");
  expect(await cli.exited).toBe(0);
  const alerts = await castellan.json<{ cause: string }[]>(["alert", "list"]);
  expect(alerts.map(({ cause }) => cause).join()).toContain("database-dead");
  expect((await cluster.pools?.show("srv127"))?.map((row) => row["status"])).toEqual([
    "up",
    "down",
    "up",
  ]);
  const rows = "SELECT count(*)::int AS n FROM bulk";
  expect(await cluster.sql("srv159", rows)).toEqual(await cluster.sql("srv127", rows));
  await cluster.start("srv129");
  await isWell();
});

/** Until another copy than that one has brought something. */
async function untilCopyAfter(former: string): Promise<string> {
  return waitFor(
    async () => {
      const copy = await untilCopying(scene);
      return copy !== former && copy;
    },
    { timeoutMs: 90_000, what: "another copy" },
  );
}

async function isWell(): Promise<void> {
  await expectServing(scene);
  expect(await cluster.poolSql("SELECT 1 AS one")).toEqual([{ one: 1 }]);
}

async function isAsBefore(): Promise<void> {
  await isWell();
  await untilWell(castellan, cluster);
  await expectAsBefore(scene, { loadedRow: cluster.node("srv159") });
}
