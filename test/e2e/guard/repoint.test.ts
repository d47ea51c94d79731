import { expect, test } from "vitest";
import type { AlertRecord } from "#coordinator/store/store.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { failoverBed } from "#test/e2e/support/failover-bed.ts";

const lanes: readonly (readonly [title: string, lane: LaneOptions, isRestarted: boolean])[] = [
  ["PostgreSQL 15 by a reload", { product: "postgresql" }, false],
  ["KingbaseES' names on PostgreSQL 10 by a restart", { product: "kingbase-v8r3" }, true],
];

test.each(lanes)(
  "S9: after a failover the other standby follows the new primary without a rewind: %s",
  async (_title, lane, isRestarted) => {
    // prettier-ignore
    await using bed = await failoverBed(lane);
    const { cluster } = bed;
    const before = await bed.postmaster("srv159");
    await cluster.stop("srv127", "immediate");
    await bed.promote("srv129");
    await bed.follows("srv159", "srv129");
    expect((await bed.postmaster("srv159")) !== before).toBe(isRestarted);
    // Nobody was rewound, and the old primary is left to a person.
    expect(await cluster.isRunning("srv127")).toBe(false);

    const done = await bed.decided("srv159", "upstream-changed", "done");
    expect(done).toMatchObject({ steps: [{ do: "repoint", node: "srv129" }] });
  },
);

test("S4: a standby that streams under a wrong name is told of, and neither stopped nor led elsewhere", async () => {
  await using bed = await failoverBed({ product: "postgresql" });
  const { cluster, castellan } = bed;
  const { host, paths } = cluster.node("srv159");
  const before = await bed.postmaster("srv159");
  const file = `${paths.dataDir}/postgresql.auto.conf`;
  const text = (await host.readFile(file)).replace("application_name=srv159", "application_name=other"); // prettier-ignore
  await host.writeFile(file, text, { owner: "postgres", mode: 0o600 });
  await cluster.sql("srv159", "SELECT pg_reload_conf()");
  const alert = await waitFor(
    async () =>
      (await castellan.json<readonly AlertRecord[]>(["alert", "list"])).find(
        ({ cause }) => cause === "node:srv159:guard:upstream-name-wrong",
      ),
    { timeoutMs: 40_000, what: "the alert" },
  );
  expect(alert).toMatchObject({ state: "open", severity: "warning" });
  expect(alert.detail).toContain("application_name is other, the node is srv159");
  expect(await bed.postmaster("srv159")).toBe(before);
  expect(await bed.upstreamOf("srv159")).toBe("srv127");
});
