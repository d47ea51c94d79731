import { afterAll, beforeAll, expect, test } from "vitest";
import { programClock, type ProgramClock } from "#test/harness/faults/clock.ts";
import {
  createScene,
  expectServing,
  untilAgents,
  untilLogged,
  type Scene,
} from "../support/scene.ts";
import { addIntoTheCopy, attemptsOf, copiedMore } from "../support/under-way.ts";
import { backupProcess, untilOperation } from "../support/operations.ts";
import { expectRefusal } from "../support/refusal.ts";

/**
 * Times of day that are wrong or are set in the middle of a run. Commands expire by their agent's own clock, and
 * nothing that waits goes by a clock that people can set.
 */
let scene: Scene;
const clocks = new Map<string, ProgramClock>();
const nodes = ["srv127", "srv129", "srv159"];
const [minute, day] = [60, 86_400];

beforeAll(async () => {
  scene = await createScene(
    { sizeMb: 30 },
    {
      settings: `limits: { beginWithinMs: 30000 }
addNode: { stallMs: 20000 }
`,
    },
  );
  const { castellan, lab } = scene;
  for (const name of nodes) {
    const clock = await programClock(lab.host(name), 0);
    clocks.set(name, clock);
    await castellan.killAgent(name);
    await castellan.startAgent(name, clock.env);
  }
  const own = await programClock(castellan.coordinatorHost, 0);
  clocks.set("coord", own);
  await castellan.killCoordinator();
  await castellan.startCoordinator(own.env);
  await castellan.connected(nodes);
}, 90_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

test("clocks that are ten minutes or a day apart are refused beforehand, by host, with what sets them right", async () => {
  const { castellan, cluster } = scene;
  await set("srv129", 10 * minute);
  await set("srv159", -day);
  const add = ["node", "add", "ESHA", "srv159", "--address", "192.168.4.159", "--yes"];
  await expectRefusal(cluster, castellan, {
    args: add,
    exitCode: 3,
    says: [
      /clock \(srv129\): found (?:59\d|60\d)\.\d s ahead/,
      /clock \(srv159\): found 86(?:39|40)\d\.\d s behind/,
      "chronyc makestep",
    ],
  });
  await set("srv129", 0);
  await set("srv159", 0);
  // The coordinator's own is as wrong as an agent's: all of them differ from it.
  clocks.get("coord")?.set(-10 * minute);
  await expectRefusal(cluster, castellan, {
    args: add,
    exitCode: 3,
    says: [/clock \(srv127\): found (?:59\d|60\d)\.\d s ahead/, /clock \(srv129\)/],
  });
  clocks.get("coord")?.set(0);
});

test("clocks minutes apart are warned of, and clocks that are set by minutes and days in the middle of a run cost no attempt", async () => {
  const { castellan, cluster } = scene;
  // More than a command may take to begin: only counted in the agent's own clock it is still in time.
  await set("srv127", 4 * minute);
  await set("srv129", -4 * minute);
  const dryRun = await castellan.cli(
    ["preflight", "ESHA", "srv159", "--address", "192.168.4.159"],
    { reject: false },
  );
  expect(dryRun.stdout).toMatch(/found: +2[34]\d\.\d s ahead/);
  expect(dryRun.exitCode).toBe(0);

  const add = await addIntoTheCopy(scene, "--max-rate", "4M");
  await set("srv159", day);
  await copiedMore(scene, 100);
  clocks.get("coord")?.set(day);
  await copiedMore(scene, 100);
  await set("srv127", -day);
  clocks.get("coord")?.set(-10 * minute);
  await copiedMore(scene, 100);
  await set("srv159", -10 * minute);
  expect(await backupProcess(cluster.node("srv159"))).toBe(add.copy);

  const ended = await untilOperation(castellan, add.id, ({ state }) => state !== "running");
  expect(ended).toMatchObject({ state: "succeeded", failure: null });
  expect(Object.values(attemptsOf(ended)).every((attempts) => attempts === 1)).toBe(true);
  expect(await add.cli.exited).toBe(0);
  expect(add.said()).toContain("srv159 is a node of ESHA");
  for (const name of nodes) await set(name, 0);
  clocks.get("coord")?.set(0);
  await expectServing(scene);
  await castellan.cli(["status"]);
});

/** Sets a host's clock, and waits until its agent has told the coordinator. */
async function set(name: string, seconds: number): Promise<void> {
  const since = (await scene.castellan.logs(name)).length;
  clocks.get(name)?.set(seconds);
  await untilLogged(scene, name, /this host's clock was set by -?\d+ ms/, since);
  await untilAgents(scene, "connected", name);
}
