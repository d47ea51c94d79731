import { afterAll, beforeAll, expect, test } from "vitest";
import { waitFor } from "#test/harness/wait-for.ts";
import { inTheInstant, pastTheInstant } from "../support/instant.ts";
import { createScene, expectAsBefore, quickSettings, type Scene } from "../support/scene.ts";
import { expectPause, expectTakenBack, run } from "../support/under-way.ts";
import { followOther, promote, seenAs } from "../support/failover.ts";
import { addArguments, backupProcess, stepOf } from "../support/operations.ts";

/** Somebody else leads the cluster all of a sudden: no step is begun that was planned for the other primary. */
let scene: Scene;

beforeAll(async () => {
  scene = await createScene({ sizeMb: 20 }, { crashPoints: true, settings: quickSettings });
}, 90_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

const add = (...more: string[]) => addArguments(scene.cluster, ...more);

test("the new node promoted by mistake while it is proved pauses it, and nothing of it is left after an abort", async () => {
  const promoted = await inTheInstant(
    scene,
    { of: "srv159", point: "agent:checked:verify-data" },
    add(),
    () => promote(scene, "srv159"),
  );
  expect(promoted.operation.state).toBe("paused");
  expect(promoted.exitCode).toBe(4);
  expect(promoted.said).toMatch(/srv159 is a primary now|role is primary, not standby/);
  await expectTakenBack(scene, promoted.operation);
});

test("a standby promoted by mistake in the middle of the run pauses it; put right, the run goes on", async () => {
  const { cluster } = scene;
  const { host, paths } = cluster.node("srv129");
  const saved = `${paths.dataDir}.saved`;
  await cluster.stop("srv129");
  await host.exec(["cp", "-a", paths.dataDir, saved]);
  await cluster.start("srv129");

  const promoted = await inTheInstant(
    scene,
    { of: "srv159", point: "agent:checked:write-node-files" },
    add(),
    async () => {
      await promote(scene, "srv129");
      await seenAs(scene, "srv129", "primary");
    },
  );
  expectPause(promoted, "place-data-directory/srv159", [
    "REFUSED: srv129 is a primary now; the plan was made for the primary srv127 on timeline 1.",
    `castellan operation abort ${promoted.operation.id}, then ask for it again`,
    "If it was a mistake: put it right",
  ]);
  expect(await cluster.isRunning("srv159")).toBe(false);
  // Not before it is put right.
  const { id } = promoted.operation;
  const tooEarly = await run(scene, ["operation", "resume", id]);
  expectPause(tooEarly, "place-data-directory/srv159", ["srv129 is a primary now"]);

  await cluster.stop("srv129", "immediate");
  await host.exec(["rm", "-r", paths.dataDir]);
  await host.exec(["mv", saved, paths.dataDir]);
  await cluster.start("srv129");
  await seenAs(scene, "srv129", "standby");
  const going = await inTheInstant(
    scene,
    { of: "srv159", point: "agent:checked:start-database" },
    ["operation", "resume", id],
    // Far enough: what follows is another test's.
    () => scene.castellan.cli(["operation", "abort", id, "--detach"]),
  );
  expect(going.operation.state).toBe("rolled-back");
  expect(stepOf(going.operation, "place-data-directory").attempt).toBeGreaterThan(2);
  await expectAsBefore(scene);
});

test("the primary fails over in the copy: nothing is done for the old one, an abort takes everything back once it answers, and the node is added to the new one", async () => {
  const { cluster, castellan } = scene;
  const following = await pastTheInstant(
    scene,
    { of: "srv127", point: "agent:checked:open-hba" },
    add("--max-rate", "500K"),
    async () => undefined,
  );
  await waitFor(async () => backupProcess(cluster.node("srv159")), { timeoutMs: 30_000 });
  await cluster.stop("srv127");
  await promote(scene, "srv129");
  await seenAs(scene, "srv129", "primary");
  const paused = await following.ended();
  const { id } = paused.operation;
  expect(paused.operation.state).toBe("paused");
  expect(paused.exitCode).toBe(4);
  expect(await backupProcess(cluster.node("srv159"))).toBe("");
  const resumed = await run(scene, ["operation", "resume", id]);
  expectPause(resumed, "base-backup/srv159", [
    "srv129 is a primary now",
    `castellan operation abort ${id}, then ask for it again`,
  ]);

  // What was made on the old primary can't be taken back while its database is down: said, with the statement for it.
  const stuck = await castellan.cli(["operation", "abort", id], { reject: false });
  expect(stuck.exitCode).toBe(5);
  expect(stuck.stdout).toContain("srv127: replication slot slot_srv159: run there:");
  expect(stuck.stdout).toContain("pg_drop_replication_slot('slot_srv159')");
  const again = await castellan.cli(add(), { reject: false });
  expect(again.exitCode).toBe(7);

  await followOther(scene, "srv127", "srv129");
  const aborted = await castellan.cli(["operation", "abort", id], { reject: false });
  expect(aborted.exitCode, aborted.stdout + aborted.stderr).toBe(0);
  for (const node of ["srv127", "srv129"]) {
    const slots = await cluster.sql(
      node,
      "SELECT slot_name::text AS name FROM pg_replication_slots",
    );
    expect(slots.map(({ name }) => name)).not.toContain("slot_srv159");
    const { host, paths } = cluster.node(node);
    expect(await host.readFile(paths.hbaFile)).not.toMatch(/castellan|192\.168\.4\.159/);
  }
  const { host, paths } = cluster.node("srv159");
  expect(host.exists(paths.dataDir) || host.exists(`${paths.dataDir}.castellan-copy`)).toBe(false);

  const added = await castellan.cli(add(), { reject: false });
  expect(added.exitCode, added.stdout + added.stderr).toBe(0);
  const senders = await cluster.sql(
    "srv129",
    "SELECT application_name::text AS name, state FROM pg_stat_replication ORDER BY 1",
  );
  expect(senders).toEqual([
    { name: "srv127", state: "streaming" },
    { name: "srv159", state: "streaming" },
  ]);
});
