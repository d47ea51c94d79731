import { afterAll, beforeAll, expect, test } from "vitest";
import { delayConnections } from "#test/harness/faults/delay-proxy.ts";
import {
  cutLink,
  loseIncoming,
  loseTraffic,
  narrowLink,
  resetConnections,
} from "#test/harness/faults/network.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { speakAs } from "../support/agent-socket.ts";
import {
  createScene,
  expectServing,
  untilAgents,
  untilLogged,
  type Scene,
} from "../support/scene.ts";
import {
  addIntoTheCopy,
  attemptsOf,
  beginAdding,
  copiedMore,
  endsItsCopy,
  expectTakenBack,
} from "../support/under-way.ts";
import { backupProcess, stepOf, untilOperation } from "../support/operations.ts";

/** Links that are cut, half open, one-way, reset, narrow or slow, while a node is added to a cluster that serves on. */
let scene: Scene;
const agentPort = 7300;

beforeAll(async () => {
  scene = await createScene(
    { sizeMb: 30, pool: true },
    {
      settings: `heartbeat: { everyMs: 500, lostAfterMs: 2000 }
limits: { awayAlertMs: 1000, attempts: 2 }
addNode: { stallMs: 12000 }
`,
    },
  );
}, 90_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

test("a link that is cut for a minute in the copy costs the copy, and no operator: it begins anew by itself", async () => {
  const { castellan, cluster, lab } = scene;
  const add = await addIntoTheCopy(scene, "--max-rate", "6M");
  const cut = await cutLink(lab.host("srv159"));
  const healAt = performance.now() + 60_000;
  await untilAgents(scene, "away", "srv159");
  await waitFor(async () => (await castellan.cli(["alert", "list"])).stdout.includes("srv159"), {
    what: "an alert",
  });
  await expectServing(scene);
  // Nothing moves for longer than the limit says: the target's own agent ends it, with nobody to ask.
  await waitFor(async () => (await backupProcess(cluster.node("srv159"))) === "", {
    timeoutMs: 40_000,
    what: "the stalled copy to be ended",
  });
  await waitFor(() => performance.now() >= healAt, { timeoutMs: 61_000 });
  expect((await untilOperation(castellan, add.id, () => true)).state).toBe("running");
  await cut.heal();

  await waitFor(() => backupProcess(cluster.node("srv159")), { timeoutMs: 30_000 });
  await untilLogged(
    scene,
    "srv159",
    /the base backup from srv127 \(192\.168\.4\.127:5432\) made no progress for 1\d s/,
  );
  expect(stepOf(await endsItsCopy(scene, add), "base-backup").attempt).toBe(2);
  await waitFor(async () => !(await castellan.cli(["alert", "list"])).stdout.includes("srv159"), {
    what: "the alert to be resolved",
  });
  await expectTakenBack(scene, add);
});

test("a link that is cut for less than the stall limit costs nothing: the same copy goes on", async () => {
  const { castellan, cluster, lab } = scene;
  const add = await addIntoTheCopy(scene, "--max-rate", "5M");
  const since = (await castellan.logs("srv159")).length;
  const done = await endsItsCopy(scene, add, async () => {
    const cut = await cutLink(lab.host("srv159"));
    await untilLogged(scene, "srv159", /nothing heard for 2000 ms/, since);
    await cut.heal();
    await copiedMore(scene, 100);
    expect(await backupProcess(cluster.node("srv159"))).toBe(add.copy);
  });
  expect(stepOf(done, "base-backup").attempt).toBe(1);
  await expectTakenBack(scene, add);
});

test("an agent's link that is half open, dead in one direction, spoken to by strangers or reset is made anew, and every command ends once", async () => {
  const { castellan, lab } = scene;
  const [target, coordinator] = [lab.host("srv159"), lab.host("coord")];
  const add = await addIntoTheCopy(scene, "--max-rate", "2M");

  const since = (await castellan.logs("srv159")).length;
  const halfOpen = await loseTraffic(target, { of: coordinator, port: agentPort });
  await untilAgents(scene, "away", "srv159");
  await untilLogged(scene, "srv159", /nothing heard for 2000 ms/, since);
  await halfOpen.heal();
  await untilAgents(scene, "connected", "srv159");

  const deafCoordinator = await loseIncoming(coordinator, { of: target, port: agentPort });
  await untilAgents(scene, "away", "srv159");
  await deafCoordinator.heal();
  await untilAgents(scene, "connected", "srv159");

  const deafAgent = await loseIncoming(target, { of: coordinator, port: agentPort });
  await untilAgents(scene, "away", "srv159");
  await deafAgent.heal();
  await untilAgents(scene, "connected", "srv159");

  const stranger = { address: coordinator.address, port: agentPort, node: "srv159" };
  const refused = await speakAs(lab, { ...stranger, secret: "A".repeat(43) }, "{");
  expect(refused.code).toBe(4401);
  // Whoever has nobody connected any more dials again, all at once.
  expect(await resetConnections(coordinator, agentPort)).toBe(3);
  await untilAgents(scene, "connected", "srv127", "srv129", "srv159");

  expect(await backupProcess(scene.cluster.node("srv159"))).toBe(add.copy);
  const done = await endsItsCopy(scene, add);
  expect(attemptsOf(done)["base-backup/srv159"]).toBe(1);
  const ends = (await castellan.logs("srv159"))
    .split("\n")
    .filter((line) => line.includes("A command ended") && line.includes(add.id))
    .filter((line) => line.includes('"base-backup"'));
  expect(ends).toHaveLength(1);
  await expectTakenBack(scene, add);
});

test("a copy that stands still is ended by its lack of progress, with its cause and what to do; a slow one is not", async () => {
  const { castellan, cluster, lab } = scene;
  const target = lab.host("srv159");
  const add = await addIntoTheCopy(scene, "--max-rate", "6M");
  const lost = await loseTraffic(target, { of: lab.host("srv127"), port: 5432 });
  const paused = await untilOperation(castellan, add.id, ({ state }) => state !== "running");
  expect(paused.state).toBe("paused");
  expect(await add.cli.exited).toBe(4);
  const { stdout } = await castellan.cli(["operation", "show", add.id]);
  expect(stdout).toContain("192.168.4.127:5432");
  expect(stdout).toContain(`castellan operation resume ${add.id}`);
  expect(add.said()).toMatch(/base-backup|base backup/);
  expect(await backupProcess(cluster.node("srv159"))).toBe("");
  await expectServing(scene);
  await lost.heal();

  // 1.6 Mbit/s: a copy that would take minutes, watched for longer than the limit lets it stand still.
  const narrow = await narrowLink(target, 1_600);
  const resumed = await castellan.spawnCli(["operation", "resume", add.id]);
  const copy = await waitFor(() => backupProcess(cluster.node("srv159")), { timeoutMs: 30_000 });
  const startedAt = performance.now();
  while (performance.now() - startedAt < 13_000) await copiedMore(scene, 100);
  expect(await backupProcess(cluster.node("srv159"))).toBe(copy);
  await narrow.heal();
  // Two attempts were its limit before; the resumed one needed no other.
  expect(stepOf(await endsItsCopy(scene, add), "base-backup").attempt).toBe(3);
  expect(await resumed.exited).toBe(4);
  await expectTakenBack(scene, add);
});

test("agents that are 100 ms away each way make everything slow, and nothing wrong: the node is added", async () => {
  const { castellan, cluster, lab } = scene;
  const to = { address: lab.host("coord").address, port: agentPort };
  const nodes = ["srv127", "srv129", "srv159"];
  const slow = await Promise.all(
    nodes.map((name) => delayConnections(lab.host(name), { to, delayMs: 100 })),
  );
  await resetConnections(lab.host("coord"), agentPort);
  await untilAgents(scene, "connected", ...nodes);
  const add = await beginAdding(scene);
  const ended = await untilOperation(
    castellan,
    add.id,
    ({ state }) => state !== "running",
    240_000,
  );
  expect(ended).toMatchObject({ state: "succeeded", failure: null });
  expect(await add.cli.exited).toBe(0);
  expect(Object.values(attemptsOf(ended)).every((attempts) => attempts === 1)).toBe(true);
  const rows = await cluster.pools?.show("srv127");
  expect(rows?.map((row) => row["status"])).toEqual(["up", "up", "up"]);
  for (const path of slow) await path.heal();
  await untilAgents(scene, "connected", ...nodes);
  await expectServing(scene);
});
