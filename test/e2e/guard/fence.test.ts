import { expect, test } from "vitest";
import { failoverBed, type FailoverBed } from "#test/e2e/support/failover-bed.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const marksFile = "/var/lib/castellan-agent/guard-marks.json";

async function isInRecovery({ cluster }: FailoverBed, node: string): Promise<boolean | null> {
  const rows = await cluster.sql(node, "SELECT pg_is_in_recovery() AS r").catch(() => []);
  return rows[0] === undefined ? null : rows[0]["r"] === true;
}

/** As its boot does it before anything else: with no agent, and nobody to ask. */
async function boot({ cluster, castellan }: FailoverBed, node: string): Promise<string> {
  const { host } = cluster.node(node);
  await host.boot();
  await castellan.agent(node).exited;
  const program = `${host.projectPath}/dist/castellan-agent.js`;
  const { stdout } = await host.exec(
    [host.nodePath, program, "fence", "--config", "/etc/castellan/agent.yaml"],
    { user: cluster.lane.osUser },
  );
  return stdout;
}

test("a primary whose host lost its power comes up read-only; it opens when all others agree, and follows where one was promoted", async () => {
  await using bed = await failoverBed({ product: "postgresql" });
  const { cluster, castellan } = bed;
  const { host } = cluster.node("srv127");
  await waitFor(async () => (await host.readFile(marksFile)).includes('"timeline":1'), {
    what: "the mark of a primary",
  });
  await cluster.sql("srv127", "INSERT INTO ledger VALUES (1, 'acknowledged')");
  await host.powerOff();
  expect(await boot(bed, "srv127")).toContain("standby.signal written; it was a primary");
  // As the site's own start at boot does.
  await cluster.start("srv127");
  expect(await isInRecovery(bed, "srv127")).toBe(true);
  await expect(cluster.sql("srv127", "INSERT INTO ledger VALUES (2, 'no')")).rejects.toThrow(
    /read-only transaction/,
  );

  await castellan.startAgent("srv127");
  await bed.decided("srv127", "fenced-primary", "done");
  expect(await isInRecovery(bed, "srv127")).toBe(false);
  await cluster.sql("srv127", "INSERT INTO ledger VALUES (3, 'after it was opened')");
  for (const node of ["srv129", "srv159"]) await bed.follows(node, "srv127");
  const timeline = "SELECT timeline_id AS t FROM pg_control_checkpoint()";
  expect(await cluster.sql("srv127", timeline)).toEqual([{ t: 1 }]);
  expect(await cluster.sql("srv127", "SELECT id::int FROM ledger WHERE id > 0 ORDER BY 1")).toEqual(
    [{ id: 1 }, { id: 3 }],
  );

  await host.powerOff();
  await bed.promote("srv129");
  expect(await boot(bed, "srv127")).toContain("standby.signal written");
  await castellan.startAgent("srv127");
  // Its guard starts it: it died without a clean stop.
  await waitFor(async () => (await isInRecovery(bed, "srv127")) === true, {
    timeoutMs: 40_000,
    what: "srv127 to be started as a standby",
  });
  await castellan.connected(["srv127"]);
  await expect(cluster.sql("srv127", "INSERT INTO ledger VALUES (4, 'no')")).rejects.toThrow(
    /read-only transaction/,
  );
  const { exitCode, stderr } = await castellan.cli(
    ["guard", "confirm-primary", "srv127", "--yes"],
    { reject: false },
  );
  expect([exitCode, stderr]).toEqual([10, expect.stringContaining("srv129 is a primary")]);
  expect(await isInRecovery(bed, "srv127")).toBe(true);
});
