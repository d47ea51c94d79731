import { expect, test } from "vitest";
import type { DrillReport } from "#coordinator/operations/drill/report.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { expectFirstLayout } from "../support/layout.ts";
import { follow } from "../support/under-way.ts";
import { failingOver, isStandby } from "../support/pool-failover.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions])[] = [
  ["PostgreSQL 15", { product: "postgresql" }],
  ["KingbaseES' names on PostgreSQL 10", { product: "kingbase-v8r3" }],
];

test.each(lanes)(
  "the old standby stops, then the primary: the new node leads, both come back, and the layout is as before: %s",
  async (_title, lane) => {
    await using bed = await failingOver(lane);
    const { cluster, castellan } = bed;
    const refused = async (...asked: readonly string[]) =>
      castellan.cli(["drill", cluster.name, ...asked, "--yes"], { reject: false });
    const crash = await refused("--node", "srv127", "--kind", "kill");
    expect(crash.exitCode).toBe(3);
    expect(crash.stderr).toContain("replication is asynchronous");
    expect(crash.stderr).toContain("--kind stop, or --accept-loss.");
    expect((await refused("--node", "srv999")).exitCode).toBe(3);

    const drilling = await follow(bed, ["drill", cluster.name, "--scenario", "cascade", "--node", "srv159", "--restore", "--yes"]); // prettier-ignore
    // The case study's own question, asked of the new node.
    await waitFor(async () => (await isStandby(cluster, "srv159").catch(() => null)) === false, {
      timeoutMs: 90_000,
      what: "srv159 to say that it is not in recovery",
    });
    expect(await cluster.isRunning("srv129")).toBe(false);
    expect((await refused("--node", "srv129")).exitCode).toBe(7);
    const { said, exitCode } = await drilling.ended();
    expect(exitCode, said).toBe(0);
    expect(said).toContain("The drill of srv159 is over: castellan drill show.");

    const report = await castellan.json<DrillReport>(["drill", "show"]);
    expect(report).toMatchObject({
      node: "srv127",
      stoppedBefore: ["srv129"],
      kind: "stop",
      state: "succeeded",
      primary: { before: "srv127", after: "srv159" },
      // A fast stop ends when the standbys have been sent everything.
      lostAcknowledged: 0,
    });
    expect(report.primary.why).toContain("srv127 is stopped behind a standby marker");
    const { blackoutMs, redundancyMs, layoutMs } = report;
    if (blackoutMs === null || redundancyMs === null || layoutMs === null) throw new Error(said);
    expect(report.writes?.failed).toBeGreaterThan(0);
    expect(blackoutMs.writes).toBeLessThan(redundancyMs);
    expect(redundancyMs).toBeLessThan(layoutMs);

    const parts = (await castellan.json<readonly OperationRecord[]>(["operation", "list"])).filter(({ requestedBy }) => requestedBy === `part of ${report.operation}`); // prettier-ignore
    expect(parts.map(({ kind, subject, state }) => `${kind} ${subject} ${state}`)).toContain("switchover srv127 succeeded"); // prettier-ignore
    expect(await isStandby(cluster, "srv127")).toBe(false);
    await expectFirstLayout(cluster);
  },
);
