import { expect, test } from "vitest";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { answers, failingOver, isStandby, rows } from "../support/pool-failover.ts";

test("the primary's host is cut off: its silence promotes nobody, an alert says so, and with the cut healed it leads on", async () => {
  await using bed = await failingOver({ product: "postgresql" });
  const { cluster, castellan } = bed;
  await cluster.sql("srv127", "CREATE TABLE kept AS SELECT 1 AS id");
  await waitFor(async () => (await rows(cluster, "srv159")) === 1, { what: "srv159 to have it" });
  const { host } = cluster.node("srv127");
  await host.cutLink();
  expect(await answers(cluster)).toContain("nobody was promoted");
  for (const node of ["srv129", "srv159"]) expect(await isStandby(cluster, node)).toBe(true);
  const alerts = await castellan.json<readonly AlertRecord[]>(["alert", "list"]);
  expect(alerts.find(({ cause }) => cause === `failover:${cluster.name}`)).toMatchObject({ severity: "critical", node: "srv127" }); // prettier-ignore

  await host.healLink();
  await cluster.sql("srv127", "INSERT INTO kept VALUES (2)");
  for (const node of ["srv129", "srv159"]) {
    await waitFor(async () => (await rows(cluster, node)) === 2, { timeoutMs: 90_000, what: `${node} to stream again` }); // prettier-ignore
    expect(await isStandby(cluster, node)).toBe(true);
  }
  expect(await isStandby(cluster, "srv127")).toBe(false);
});
