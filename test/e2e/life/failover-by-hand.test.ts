import { expect, test } from "vitest";
import type { OperationRecord } from "#coordinator/store/store.ts";
import type { Plan } from "#coordinator/operations/plan.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { killPrimary, leaveBehind } from "../support/lost-primary.ts";
import { failingOver, isStandby, rows } from "../support/pool-failover.ts";

test("a person promotes a standby: refused while the primary answers, its loss shown, and the old primary comes back as a standby", async () => {
  await using bed = await failingOver({ product: "postgresql" }, { failoverCommand: "" });
  const { cluster, castellan } = bed;
  await cluster.sql("srv127", "CREATE TABLE kept AS SELECT 1 AS id");
  await waitFor(async () => (await rows(cluster, "srv129")) === 1, { what: "srv129 to have it" });
  const ask = ["failover", cluster.name, "--force", "--to"];
  const tooEarly = await castellan.cli([...ask, "srv159", "--yes"], { reject: false });
  expect(tooEarly.exitCode).toBe(3);
  expect(tooEarly.stderr).toContain("srv127 is the primary, and answers");

  // Its agent alone is gone: the database answers the others'.
  await castellan.killAgent("srv127");
  const refusal = async (): Promise<string> => (await castellan.cli([...ask, "srv159", "--yes"], { reject: false })).stderr; // prettier-ignore
  await waitFor(async () => (await refusal()).includes("the database of srv127 answers, though its agent is away")); // prettier-ignore
  await castellan.startAgent("srv127");

  await leaveBehind(cluster, "srv129");
  await cluster.sql("srv127", "INSERT INTO kept VALUES (2)");
  await waitFor(async () => (await rows(cluster, "srv159")) === 2, { what: "srv159 to have it" });
  await killPrimary(cluster);
  const stopped = async (): Promise<boolean> => {
    const { exitCode } = await castellan.cli([...ask, "srv129", "--dry-run"], { reject: false });
    return exitCode === 0;
  };
  await waitFor(stopped, { timeoutMs: 60_000, what: "the end of the primary to be seen" });
  const shown = await castellan.json<Plan>([...ask, "srv129", "--dry-run"]);
  expect(shown.checks.find(({ id }) => id === "most-advanced")).toMatchObject({ status: "warn", found: expect.stringContaining("that srv159 has") }); // prettier-ignore
  expect(await isStandby(cluster, "srv129")).toBe(true);

  const done = await castellan.json<OperationRecord>([...ask, "srv159", "--yes"]);
  expect(done).toMatchObject({ kind: "failover", subject: "srv159", state: "succeeded" });
  expect(await isStandby(cluster, "srv159")).toBe(false);
  for (const node of ["srv129", "srv127"]) {
    await waitFor(async () => (await rows(cluster, node)) === 2, { timeoutMs: 60_000, what: `${node} to follow` }); // prettier-ignore
    expect(await isStandby(cluster, node)).toBe(true);
  }
  for (const { name } of cluster.pools?.nodes ?? []) {
    const primary = (await cluster.pools?.show(name))?.find(({ role }) => role === "primary");
    expect(primary).toMatchObject({ hostname: cluster.node("srv159").address, status: "up" });
  }
});
