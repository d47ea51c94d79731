import { expect, test } from "vitest";
import { killPrimary } from "../support/lost-primary.ts";
import { answers, failingOver, isStandby } from "../support/pool-failover.ts";

test("with the coordinator away nobody is promoted, and the log says why", async () => {
  await using bed = await failingOver({ product: "postgresql" });
  const { cluster, castellan } = bed;
  await castellan.killCoordinator();
  await killPrimary(cluster);
  expect(await answers(cluster)).toContain("did not answer");
  expect(await isStandby(cluster, "srv129")).toBe(true);
  expect(await isStandby(cluster, "srv159")).toBe(true);
});
