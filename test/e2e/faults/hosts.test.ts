import { afterAll, beforeAll, expect, test } from "vitest";
import { cutLink } from "#test/harness/faults/network.ts";
import { stopTree } from "#test/harness/faults/process.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { addingStoppedAt, pastTheInstant, untilStopped } from "../support/instant.ts";
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
  endsItsCopy,
  expectTakenBack,
  type Adding,
} from "../support/under-way.ts";
import {
  addArguments,
  backupProcess,
  newestOperation,
  stepOf,
  untilOperation,
  type Operation,
} from "../support/operations.ts";

/** Hosts that lose their power, freeze, or can't be reached, at moments that are made with named points. */
let scene: Scene;
const beginWithinMs = 4_000;

beforeAll(async () => {
  scene = await createScene(
    { sizeMb: 30 },
    {
      crashPoints: true,
      settings: `heartbeat: { everyMs: 500, lostAfterMs: 2000 }
limits: { awayAlertMs: 1000, agentWaitMs: 3000, beginWithinMs: ${beginWithinMs} }
`,
    },
  );
}, 90_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

const slowly = ["--max-rate", "4M"];
const hasLeft =
  (...states: readonly string[]) =>
  ({ state }: Operation): boolean =>
    !states.includes(state);

test("the coordinator's host loses its power in the copy: the copy goes on, and the operation once the coordinator is back", async () => {
  const { castellan, cluster } = scene;
  const { coordinatorHost: host, stateDirectory } = castellan;
  const add = await addIntoTheCopy(scene, ...slowly);
  await host.powerOff();
  await expectServing(scene);
  expect(await backupProcess(cluster.node("srv159"))).toBe(add.copy);
  await host.boot();

  // A mistake made on the way is named, and nothing is begun with it.
  const file = `${stateDirectory}/settings.yaml`;
  const own = { owner: cluster.lane.osUser, mode: 0o600 };
  const settings = await host.readFile(file);
  await host.writeFile(file, settings.replace("lostAfterMs: 2000", "lostAfterMs: soon"), own);
  const refused = await castellan.cli(["coordinator", "run"], { reject: false });
  expect(refused.stderr).toMatch(/heartbeat\.lostAfterMs: .*settings\.yaml:\d+:\d+/);
  expect(refused.exitCode).toBe(2);
  await host.writeFile(file, settings, own);

  await castellan.startCoordinator();
  await untilAgents(scene, "connected", "srv127", "srv129", "srv159");
  expect(stepOf(await endsItsCopy(scene, add), "base-backup").attempt).toBe(1);
  await expectTakenBack(scene, add);
});

test("a standby that is cut off at the hba step pauses the operation; taken back without it, it is named until it is there again", async () => {
  const { castellan, lab } = scene;
  let cut: Awaited<ReturnType<typeof cutLink>> | undefined;
  const add = await addStoppedAt("runner:step-started:open-hba", async () => {
    cut = await cutLink(lab.host("srv129"));
  });
  const paused = await untilOperation(castellan, add.id, hasLeft("running"));
  expect(paused.state).toBe("paused");
  expect(paused.failure).toMatchObject({
    code: "NODE_UNREACHABLE",
    message: expect.stringMatching(/The agent of srv129 stayed away for \d+ s/),
  });
  expect(await add.cli.exited).toBe(4);
  expect(stepOf(paused, "open-hba", "srv127").state).toBe("done");
  await needsAttention(add, ["open-hba/srv129", /srv129: lines in \S+ for 192\.168/]);
  await cut?.heal();
  await untilAgents(scene, "connected", "srv129");
  await expectTakenBack(scene, add);
});

test("a standby that is cut off while the operation is taken back is named with what is left there and the commands for it", async () => {
  const { castellan, lab } = scene;
  const add = await addIntoTheCopy(scene, ...slowly);
  await using cut = await cutLink(lab.host("srv129"));
  await untilAgents(scene, "away", "srv129");
  await needsAttention(add, [
    "srv129: replication slot slot_srv159: run there: SELECT pg_drop_replication_slot('slot_srv159');",
    /srv129: lines in \S+ for 192\.168/,
  ]);
  // What could be taken back is.
  const slots = await scene.cluster.sql(
    "srv127",
    "SELECT slot_name::text AS s FROM pg_replication_slots",
  );
  expect(slots).toEqual([{ s: "slot_srv129" }]);
  expect(await backupProcess(scene.cluster.node("srv159"))).toBe("");
  await cut.heal();
  await untilAgents(scene, "connected", "srv129");
  await expectTakenBack(scene, add);
  await castellan.cli(["status"]);
});

test("an agent that was frozen wakes after the operation was taken back, under a new coordinator, and does nothing of it", async () => {
  const { castellan } = scene;
  let frozen: Awaited<ReturnType<typeof stopTree>> | undefined;
  const add = await addStoppedAt("runner:step-started:open-hba", async () => {
    frozen = await stopTree(castellan.agent("srv129").pid);
  });
  const paused = await untilOperation(castellan, add.id, hasLeft("running"));
  expect(paused.state).toBe("paused");
  await needsAttention(add, ["open-hba/srv129"]);
  await castellan.killCoordinator();
  await castellan.startCoordinator();
  // Its socket still holds the word of the former coordinator: change the hba file.
  await frozen?.heal();
  await untilLogged(scene, "srv129", /this agent did not run for \d+ ms/);
  await untilAgents(scene, "connected", "srv129");
  expect(await hbaOf("srv129")).not.toContain("192.168.4.159");
  await expectTakenBack(scene, add);
  const told = (await castellan.logs("srv129")).split("\n");
  const runs = told.filter((line) => line.includes(`${add.id}/1/run`));
  expect(runs.filter((line) => line.includes('"outcome":"done"'))).toEqual([]);
});

test("a command that was accepted before the host froze is not begun after its expiry, and asked for anew", async () => {
  const { castellan } = scene;
  const received = "agent:received:run:open-hba";
  const add = await addingStoppedAt(scene, "srv129", received, ...slowly);
  const { id } = add;
  const expiredAt = performance.now() + beginWithinMs + 500;
  await untilOperation(castellan, id, hasLeft("running"));
  await waitFor(() => performance.now() > expiredAt);
  castellan.agent("srv129").kill("SIGCONT");
  await untilLogged(scene, "srv129", /open-hba.*expired \d+ ms before it could begin/s);
  expect(await hbaOf("srv129")).not.toContain("192.168.4.159");
  await untilAgents(scene, "connected", "srv129");
  await castellan.cli(["operation", "resume", id], { timeoutMs: 5_000, reject: false });
  const later = await untilOperation(
    castellan,
    id,
    (operation) => stepOf(operation, "open-hba", "srv129").state === "done",
  );
  expect(attemptsOf(later)["open-hba/srv129"]).toBe(2);
  await expectTakenBack(scene, add);
});

test("the target loses its power in the copy and in the configuration: nothing opens as a primary, and a resume adds the node", async () => {
  const { castellan, cluster } = scene;
  const { host } = cluster.node("srv159");
  const add = await addIntoTheCopy(scene, ...slowly);
  await host.powerOff();
  const paused = await untilOperation(castellan, add.id, hasLeft("running"));
  expect(paused.failure?.message).toContain("srv159");
  expect(await add.cli.exited).toBe(4);
  await expectServing(scene);
  await host.boot();
  await opensAsNoPrimary();
  await castellan.startAgent("srv159", { CASTELLAN_STOP_AT: "agent:applied:write-node-files" });
  await untilAgents(scene, "connected", "srv159");
  const resumed = await castellan.spawnCli(["operation", "resume", add.id]);

  await untilStopped(castellan.agent("srv159"));
  await host.powerOff();
  const again = await untilOperation(castellan, add.id, hasLeft("running"));
  expect(again.state).toBe("paused");
  expect(stepOf(again, "base-backup").attempt).toBe(2);
  expect(await resumed.exited).toBe(4);
  await host.boot();
  await opensAsNoPrimary();
  await castellan.startAgent("srv159");
  await untilAgents(scene, "connected", "srv159");
  const last = await castellan.cli(["operation", "resume", add.id], { reject: false });
  expect(last.stdout + last.stderr).toContain("srv159 is a node of ESHA");
  expect(last.exitCode).toBe(0);
  await expectServing(scene);
});

/** `node add` with a coordinator that stops at a point, while the test changes the world, and then goes on. */
async function addStoppedAt(point: string, change: () => Promise<void>): Promise<Adding> {
  const { castellan, cluster } = scene;
  const add = addArguments(cluster, ...slowly);
  const running = await pastTheInstant(scene, { of: null, point }, add, change);
  return { ...running, id: (await newestOperation(castellan))?.id ?? "" };
}

/** An abort that can't take back everything says what is left, and where. */
async function needsAttention({ id }: Adding, says: readonly (string | RegExp)[]): Promise<void> {
  const aborted = await scene.castellan.cli(["operation", "abort", id], { reject: false });
  // Long lines are broken for the terminal.
  const said = (aborted.stdout + aborted.stderr).replaceAll(/\s+/g, " ");
  expect(said).toContain("is needs-attention");
  for (const words of says) expect(said).toMatch(words);
  expect(said).toContain(`castellan operation abort ${id}`);
  expect(aborted.exitCode).toBe(5);
}

async function hbaOf(name: string): Promise<string> {
  const { host, paths } = scene.cluster.node(name);
  return host.readFile(paths.hbaFile);
}

/** Somebody starts whatever looks like a data directory on the new host. */
async function opensAsNoPrimary(): Promise<void> {
  const { host, paths, address, port } = scene.cluster.node("srv159");
  const user = scene.cluster.lane.osUser;
  const { stdout } = await host.exec([
    "find",
    paths.root,
    "-name",
    "PG_VERSION",
    "-path",
    "*/PG_VERSION",
  ]);
  const folders = stdout.split("\n").map((file) => file.replace(/\/PG_VERSION$/, ""));
  const places = folders.filter((folder) => folder !== "" && !/\/base\/\d+$/.test(folder));
  expect(places).toHaveLength(1);
  for (const place of places) {
    const ctl = [`${paths.binDir}/pg_ctl`, "-D", place];
    const started = await host.exec([...ctl, "-w", "-t", "20", "-l", "/tmp/by-hand.log", "start"], {
      user,
      reject: false,
    });
    if (started.exitCode === 0) {
      const role = [
        "psql",
        "-h",
        address,
        "-p",
        String(port),
        "-Atc",
        "SELECT pg_is_in_recovery()",
      ];
      const asked = await host.exec([`${paths.binDir}/${role[0]}`, ...role.slice(1)], {
        user,
        env: { PGPASSWORD: scene.cluster.passwords.superuser },
      });
      expect(asked.stdout.trim()).toBe("t");
      await host.exec([...ctl, "-m", "fast", "-w", "stop"], { user });
    }
    await host.exec(["rm", "-f", "/tmp/by-hand.log"]);
  }
}
