import { expect, test } from "vitest";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { killPrimary } from "../support/lost-primary.ts";
import { answers, failingOver, isStandby } from "../support/pool-failover.ts";

test("with the coordinator away nobody is promoted, the log says why, and an alert when it is back", async () => {
  await using bed = await failingOver({ product: "postgresql" });
  const { cluster, castellan } = bed;
  await castellan.killCoordinator();
  await killPrimary(cluster);
  expect(await answers(cluster)).toContain("did not answer");
  expect(await isStandby(cluster, "srv129")).toBe(true);
  expect(await isStandby(cluster, "srv159")).toBe(true);

  await castellan.startCoordinator();
  const alert = await waitFor(
    async () => {
      const alerts = await castellan.json<readonly AlertRecord[]>(["alert", "list"]);
      return alerts.find(({ cause }) => /^node:srv1(27|29):guard:failover-unanswered$/.test(cause));
    },
    { timeoutMs: 30_000, what: "the alert" },
  );
  expect(alert).toMatchObject({ severity: "critical" });
  expect(alert.detail).toContain(`it lost ${cluster.node("srv127").address}:${cluster.port} at `);
});
