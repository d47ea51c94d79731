import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fence } from "#agent/fence.ts";
import { openAsPrimary } from "#agent/guard/steps/open-as-primary.ts";
import { noMarks } from "#agent/decide/view.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { createGuardBed, type GuardBed } from "./guard-bed.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["PostgreSQL 10", { product: "postgresql", version: 10 }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];

/** A promotion's checkpoint is a spread one: on a large server it takes minutes. */
describe.each(lanes)("%s", (_title, lane) => {
  let bed: GuardBed;
  beforeAll(async () => {
    bed = await createGuardBed(lane, 60 + lanes.findIndex(([, known]) => known === lane));
  });
  afterAll(async () => {
    await bed[Symbol.asyncDispose]();
  });
  const startFenced = async (node: string): Promise<void> => {
    const host = await bed.host(node);
    await host.guardModes.setMode("enforce", "test");
    await host.guardMarks.mark({ wasPrimary: { at: 1, timeline: 1 } });
    expect(await fence(host.settings)).toContain("it was a primary");
    await bed.cluster.start(node);
  };

  test("a node that was promoted, and lost its power before its first checkpoint, keeps the old primary from opening", async () => {
    const { cluster } = bed;
    const fill = "INSERT INTO ledger SELECT i, repeat('x', 1000) FROM generate_series";
    // Much that the checkpoint of the promotion has to write.
    await cluster.sql("srv127", `${fill}(1000, 20000) i`);
    await waitFor(
      async () => {
        const [row] = await cluster.sql("srv129", "SELECT count(*)::int AS n FROM ledger WHERE id = 20000"); // prettier-ignore
        return row?.["n"] === 1;
      },
      { what: "srv129 to have it" },
    );
    // The old primary is further on than its successor: this is on no other node.
    for (const node of ["srv129", "srv159"]) await cluster.stop(node);
    await cluster.sql("srv127", `${fill}(30000, 33000) i`);
    await cluster.stop("srv127", "immediate");
    for (const node of ["srv129", "srv159"]) await cluster.start(node);
    await cluster.sql("srv129", "SELECT 1");
    await bed.promote("srv129");
    await cluster.sql("srv129", "INSERT INTO ledger VALUES (50000, 'acknowledged')");
    await cluster.stop("srv129", "immediate");

    for (const node of ["srv129", "srv127"]) await startFenced(node);
    const host = await bed.host("srv127");
    const marks = { ...noMarks, fencedAt: 1, wasPrimary: { at: 1, timeline: 1 } };
    const opened = openAsPrimary(
      { do: "open-as-primary" },
      { ...host, view: { ...host.view, marks } },
    );
    await expect(opened).rejects.toThrow("srv129 is on timeline 2, this node on 1");
  });
});
