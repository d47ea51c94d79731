import { afterAll, beforeAll, expect, test } from "vitest";
import { waitFor } from "#test/harness/wait-for.ts";
import { measureRound, renderWays, type WayResult } from "./registration-ways/measure.ts";
import { createStage, type Stage } from "./registration-ways/stage.ts";
import { ways, type Way } from "./registration-ways/ways.ts";

/**
 * The ways of registration side by side, under 16 readers and a writer with a statement every 20 ms and a fresh
 * connection every 50 ms. By default a sample; the whole matrix is
 * `CASTELLAN_ROUNDS=10 npx vitest run --config test/vitest.config.ts test/e2e/registration.test.ts`.
 */
const wanted = Number(process.env["CASTELLAN_ROUNDS"] ?? 0);
const roundsOf = (way: Way): number => wanted || (way.restarts ? 1 : way.holdsDoor ? 3 : 1);

let stage: Stage;
const results: WayResult[] = [];

beforeAll(async () => {
  stage = await createStage();
}, 90_000);

afterAll(async () => {
  if (results.length > 0) console.log(`\n${renderWays(results)}\n`);
  await stage[Symbol.asyncDispose]();
  stage.lab.assertNoLeftovers();
});

test.each(ways.filter(({ holdsDoor }) => holdsDoor))(
  "$name: no session is cut and no fresh connection fails",
  async (way) => {
    const rounds = await runRounds(way);
    for (const round of rounds) {
      // How long they stall is printed, and measured in docs/measurements.md.
      expect(round).toMatchObject({ sessionsCut: 0, freshFailed: 0, clientErrors: 0 });
    }
  },
  900_000,
);

test("a second after everything of ours is killed no packet is held, and the next start sweeps the rest", async () => {
  const [runner, other] = stage.runners;
  const [node] = stage.pools.nodes;
  if (runner === undefined || other === undefined || node === undefined) throw new Error("no pool");
  const sinceMs = Date.now();
  const held = await runner.command("hold-door", { ports: [stage.pools.port], forMs: 1000 });
  expect(held.held).toBe(true);
  expect(await rules()).toContain("elements");
  await killEverythingOfOurs();
  await waitFor(async () => !(await rules()).includes("elements"), {
    timeoutMs: 5_000,
    intervalMs: 20,
    what: "the kernel to open the door",
  });
  // Rules that hold nothing are what is left, and they go with the next start of the agent.
  expect(await rules()).toContain("table inet castellan");
  const heldCounters = await stage.load.stats(sinceMs);
  expect(heldCounters.sessionsLost).toBe(0);
  const after = Date.now();
  await waitFor(async () => (await stage.load.stats(after)).statements > 500, {
    timeoutMs: 10_000,
  });
  const argv = [
    "sudo",
    "-n",
    node.host.nodePath,
    "/srv/castellan/castellan-root.mjs",
    "door-sweep",
  ];
  await node.host.exec(argv, { user: stage.cluster.lane.osUser });
  expect(await rules()).not.toContain("castellan");
  expect(await stage.load.stats(sinceMs)).toMatchObject({ sessionsLost: 0, freshFailed: 0 });
  await stage.replaceRunner(node.name);

  async function rules(): Promise<string> {
    return (await node?.host.exec(["nft", "list", "ruleset"]))?.stdout ?? "";
  }

  /** The agent's stand-in, sudo and the root helper: at one instant, and no one of them can clean up. */
  async function killEverythingOfOurs(): Promise<void> {
    const { stdout } = await (node?.host.exec(["ps", "-eo", "pid=,args="]) ?? { stdout: "" });
    const pids = stdout
      .split("\n")
      .filter((line) => /castellan-root|step-program/.test(line))
      .map((line) => line.trim().split(" ")[0] ?? "");
    expect(pids.length).toBeGreaterThanOrEqual(3);
    await node?.host.exec(["kill", "-KILL", ...pids]);
  }
}, 60_000);

test.each(ways.filter(({ holdsDoor }) => !holdsDoor))(
  "$name: measured beside the held door",
  async (way) => {
    const rounds = await runRounds(way);
    // The plain ways are what the door is held for: with it open, busy sessions are cut.
    expect(rounds.reduce((sum, { sessionsCut }) => sum + sessionsCut, 0)).toBeGreaterThan(0);
    for (const round of rounds) expect(round.longestReconnectMs).toBeLessThanOrEqual(60_000);
  },
  900_000,
);

async function runRounds(way: Way) {
  const rounds = [];
  for (let round = 0; round < roundsOf(way); round += 1)
    rounds.push(await measureRound(stage, way));
  results.push({ way, rounds });
  return rounds;
}
