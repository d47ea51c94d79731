import { expect, test } from "vitest";
import { stopMatching } from "#test/harness/faults/process.ts";
import { takeSnapshot } from "#test/harness/snapshot.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createScene } from "../support/scene.ts";
import { addIntoTheCopy, expectTakenBack, untilRest } from "../support/under-way.ts";

test("a copy that holds back more WAL than its budget loses its slot, with nobody coordinating, and says so; another's slot stays", async () => {
  await using made = await createScene({
    sizeMb: 30,
    settings: { max_wal_size: "64MB", min_wal_size: "32MB", wal_keep_size: "0" },
  });
  const { cluster, castellan } = made;
  await cluster.sql(
    "srv127",
    "SELECT pg_create_physical_replication_slot('of_somebody_else', true)",
  );
  await cluster.sql("srv127", "CREATE TABLE wal_filler (id int)");
  const [started] = await cluster.sql("srv127", "SELECT pg_postmaster_start_time()::text AS at");
  const scene = { ...made, before: await takeSnapshot(cluster, castellan) };

  const more = ["--max-rate", "10M", "--wal-budget", "64M"];
  const { id, cli } = await addIntoTheCopy(scene, ...more);
  await using stopped = await stopMatching(
    cluster.node("srv159").host,
    "^/usr/lib/postgresql/15/bin/pg_basebackup ",
  );
  await castellan.killCoordinator();
  for (let i = 0; i < 6; i += 1) {
    await cluster.sql("srv127", "INSERT INTO wal_filler VALUES (1)");
    await cluster.sql("srv127", "SELECT pg_switch_wal()");
  }
  const slots = async (): Promise<readonly unknown[]> => {
    const rows = await cluster.sql(
      "srv127",
      "SELECT slot_name::text AS name FROM pg_replication_slots ORDER BY 1",
    );
    return rows.map(({ name }) => name);
  };
  await waitFor(async () => !(await slots()).includes("slot_srv159"), {
    timeoutMs: 30_000,
    what: "the drop of the copy's slot",
  });
  expect(await slots()).toEqual(["of_somebody_else", "slot_srv129"]);
  expect(await cluster.sql("srv127", "SELECT pg_postmaster_start_time()::text AS at")).toEqual([
    started,
  ]);
  await castellan.startCoordinator();
  await castellan.connected(["srv127", "srv129", "srv159"]);
  await stopped.heal();

  const { said } = await untilRest(scene, id, "paused");
  expect(said).toContain('replication slot "slot_srv159" does not exist');
  expect(said).toMatch(/its WAL\s+budget was used up/);
  const alerts = await castellan.json<{ summary: string }[]>(["alert", "list"]);
  expect(alerts.map(({ summary }) => summary).join()).toContain("slot slot_srv159 was dropped");
  expect(await cli.exited).toBe(4);
  await expectTakenBack(scene, { id });
});
