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
  abortsCleanly,
  addIntoTheCopy,
  attemptsOf,
  beginAdd,
  copiedMore,
  endsItsCopy,
  faultBed,
  servesOn,
  untilAgents,
  untilAgentSays,
  type FaultBed,
} from "../support/fault-bed.ts";
import { backupProcess, stepOf, untilOperation } from "../support/operations.ts";

/** Links that are cut, half open, one-way, reset, narrow or slow, while a node is added to a cluster that serves on. */
let bed: FaultBed;
const agentPort = 7300;

beforeAll(async () => {
  bed = await faultBed({
    pool: true,
    settings: `heartbeat: { everyMs: 500, lostAfterMs: 2000 }
limits: { awayAlertMs: 1000, attempts: 2 }
addNode: { stallMs: 12000 }
`,
  });
}, 90_000);

afterAll(() => bed?.[Symbol.asyncDispose]());

test("a link that is cut for a minute in the copy costs the copy, and no operator: it begins anew by itself", async () => {
  const { castellan, cluster, lab } = bed;
  const add = await addIntoTheCopy(bed, "--max-rate", "6M");
  const cut = await cutLink(lab.host("srv159"));
  const healAt = performance.now() + 60_000;
  await untilAgents(bed, "away", "srv159");
  await waitFor(async () => (await castellan.cli(["alert", "list"])).stdout.includes("srv159"), {
    what: "an alert",
  });
  await servesOn(bed);
  // Nothing moves for longer than the limit says: the target's own agent ends it, with nobody to ask.
  await waitFor(async () => (await backupProcess(cluster.node("srv159"))) === "", {
    timeoutMs: 40_000,
    what: "the stalled copy to be ended",
  });
  await waitFor(() => performance.now() >= healAt, { timeoutMs: 61_000 });
  expect((await untilOperation(castellan, add.id, () => true)).state).toBe("running");
  await cut.heal();

  await waitFor(() => backupProcess(cluster.node("srv159")), { timeoutMs: 30_000 });
  await untilAgentSays(
    bed,
    "srv159",
    /the base backup from srv127 \(192\.168\.4\.127:5432\) made no progress for 1\d s/,
  );
  expect(stepOf(await endsItsCopy(bed, add), "base-backup").attempt).toBe(2);
  await waitFor(async () => !(await castellan.cli(["alert", "list"])).stdout.includes("srv159"), {
    what: "the alert to be resolved",
  });
  await abortsCleanly(bed, add);
});

test("a link that is cut for less than the stall limit costs nothing: the same copy goes on", async () => {
  const { castellan, cluster, lab } = bed;
  const add = await addIntoTheCopy(bed, "--max-rate", "5M");
  const since = (await castellan.logs("srv159")).length;
  const done = await endsItsCopy(bed, add, async () => {
    const cut = await cutLink(lab.host("srv159"));
    await untilAgentSays(bed, "srv159", /nothing heard for 2000 ms/, since);
    await cut.heal();
    await copiedMore(bed, 100);
    expect(await backupProcess(cluster.node("srv159"))).toBe(add.copy);
  });
  expect(stepOf(done, "base-backup").attempt).toBe(1);
  await abortsCleanly(bed, add);
});

test("an agent's link that is half open, dead in one direction, spoken to by strangers or reset is made anew, and every command ends once", async () => {
  const { castellan, lab } = bed;
  const [target, coordinator] = [lab.host("srv159"), lab.host("coord")];
  const add = await addIntoTheCopy(bed, "--max-rate", "2M");

  const since = (await castellan.logs("srv159")).length;
  const halfOpen = await loseTraffic(target, { of: coordinator, port: agentPort });
  await untilAgents(bed, "away", "srv159");
  await untilAgentSays(bed, "srv159", /nothing heard for 2000 ms/, since);
  await halfOpen.heal();
  await untilAgents(bed, "connected", "srv159");

  const deafCoordinator = await loseIncoming(coordinator, { of: target, port: agentPort });
  await untilAgents(bed, "away", "srv159");
  await deafCoordinator.heal();
  await untilAgents(bed, "connected", "srv159");

  const deafAgent = await loseIncoming(target, { of: coordinator, port: agentPort });
  await untilAgents(bed, "away", "srv159");
  await deafAgent.heal();
  await untilAgents(bed, "connected", "srv159");

  const stranger = { address: coordinator.address, port: agentPort, node: "srv159" };
  const refused = await speakAs(lab, { ...stranger, secret: "A".repeat(43) }, "{");
  expect(refused.code).toBe(4401);
  // Whoever has nobody connected any more dials again, all at once.
  expect(await resetConnections(coordinator, agentPort)).toBe(3);
  await untilAgents(bed, "connected", "srv127", "srv129", "srv159");

  expect(await backupProcess(bed.cluster.node("srv159"))).toBe(add.copy);
  const done = await endsItsCopy(bed, add);
  expect(attemptsOf(done)["base-backup/srv159"]).toBe(1);
  const ends = (await castellan.logs("srv159"))
    .split("\n")
    .filter((line) => line.includes("A command ended") && line.includes(add.id))
    .filter((line) => line.includes('"base-backup"'));
  expect(ends).toHaveLength(1);
  await abortsCleanly(bed, add);
});

test("a copy that stands still is ended by its lack of progress, with its cause and what to do; a slow one is not", async () => {
  const { castellan, cluster, lab } = bed;
  const target = lab.host("srv159");
  const add = await addIntoTheCopy(bed, "--max-rate", "6M");
  const lost = await loseTraffic(target, { of: lab.host("srv127"), port: 5432 });
  const paused = await untilOperation(castellan, add.id, ({ state }) => state !== "running");
  expect(paused.state).toBe("paused");
  expect(await add.cli.exited).toBe(4);
  const { stdout } = await castellan.cli(["operation", "show", add.id]);
  expect(stdout).toContain("192.168.4.127:5432");
  expect(stdout).toContain(`castellan operation resume ${add.id}`);
  expect(add.said()).toMatch(/base-backup|base backup/);
  expect(await backupProcess(cluster.node("srv159"))).toBe("");
  await servesOn(bed);
  await lost.heal();

  // 1.6 Mbit/s: a copy that would take minutes, watched for longer than the limit lets it stand still.
  const narrow = await narrowLink(target, 1_600);
  const resumed = await castellan.spawnCli(["operation", "resume", add.id]);
  const copy = await waitFor(() => backupProcess(cluster.node("srv159")), { timeoutMs: 30_000 });
  const startedAt = performance.now();
  while (performance.now() - startedAt < 13_000) await copiedMore(bed, 100);
  expect(await backupProcess(cluster.node("srv159"))).toBe(copy);
  await narrow.heal();
  // Two attempts were its limit before; the resumed one needed no other.
  expect(stepOf(await endsItsCopy(bed, add), "base-backup").attempt).toBe(3);
  expect(await resumed.exited).toBe(4);
  await abortsCleanly(bed, add);
});

test("agents that are 100 ms away each way make everything slow, and nothing wrong: the node is added", async () => {
  const { castellan, cluster, lab } = bed;
  const to = { address: lab.host("coord").address, port: agentPort };
  const nodes = ["srv127", "srv129", "srv159"];
  const slow = await Promise.all(
    nodes.map((name) => delayConnections(lab.host(name), { to, delayMs: 100 })),
  );
  await resetConnections(lab.host("coord"), agentPort);
  await untilAgents(bed, "connected", ...nodes);
  const add = await beginAdd(bed);
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
  await untilAgents(bed, "connected", ...nodes);
  await servesOn(bed);
});
