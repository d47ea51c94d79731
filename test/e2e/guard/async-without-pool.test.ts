import { expect, test } from "vitest";
import { guardBed } from "#test/e2e/support/guard-bed.ts";
import { writeNumbers } from "#test/e2e/support/numbered-writer.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const list = "1 (srv127, srv129)";
const limit = { timeoutMs: 60_000 };

test("without pools commits wait for a standby that left until the coordinator has recorded who may not be promoted, and for it again when it is back", async () => {
  await using bed = await guardBed({
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    synchronous: true,
    settings: { wal_sender_timeout: "'3s'" },
  });
  const { cluster, castellan } = bed;
  const becomes = (wanted: string) =>
    waitFor(
      async () => {
        const [row] = await cluster.sql("srv127", "SHOW synchronous_standby_names");
        return row?.["synchronous_standby_names"] === wanted;
      },
      { ...limit, what: `synchronous_standby_names = '${wanted}'` },
    );
  const writer = await writeNumbers(cluster, "srv127", 1);
  await castellan.killCoordinator();
  await cluster.stop("srv129", "fast");
  // Before it, until it has looked at the database that left, nobody else sees it.
  const unrecorded = "the coordinator has to record first who may not be promoted, and is away";
  const isHeld = async () =>
    (await bed.decisions("srv127")).some(({ rule, outcome, why }) => rule === "synchronous-without-standby" && outcome === "held" && why === unrecorded); // prettier-ignore
  await waitFor(isHeld, { ...limit, what: unrecorded });
  const waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
  expect(await cluster.sql("srv127", waiting)).toHaveLength(1);
  await becomes(list);

  await castellan.startCoordinator();
  await bed.untilAlert("node:srv127:guard:synchronous-without-standby");
  await becomes("");
  const done = await bed.decided("srv127", "synchronous-without-standby", "done");
  expect(done.steps).toEqual([{ do: "synchronous", names: "", notPromotable: ["srv129"] }]);

  await cluster.start("srv129");
  await becomes(list);
  const { acknowledged } = await writer.stop();
  const numbered = async () =>
    (await cluster.sql("srv129", "SELECT id::int AS id FROM ledger WHERE note = 'numbered' ORDER BY id")).map(({ id }) => id); // prettier-ignore
  await waitFor(async () => (await numbered()).length >= acknowledged.length, limit);
  expect(await numbered()).toEqual(acknowledged);
});
