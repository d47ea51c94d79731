import { expect, test } from "vitest";
import { createCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { clusterNodeSettings, createNodePorts, ownHosts } from "../../agent-observe/node-ports.ts";
import { siteChecks } from "#agent/checks/site-check.ts";
import type { CheckResult } from "#agent/checks/check.ts";
import { AgentSettings } from "#agent/settings.ts";
import { waitFor } from "#test/harness/wait-for.ts";

async function startBed() {
  const lab = await createLab({ hosts: ownHosts("srv127"), mode: "loopback" });
  const cluster = await createCluster(lab, { product: "postgresql", nodes: ["srv127"] });
  const settings = clusterNodeSettings(cluster, "srv127");
  const node = await createNodePorts({ settings, databasePassword: cluster.passwords.superuser });
  return {
    cluster,
    run: (
      checks: readonly Readonly<Record<string, unknown>>[],
      signal = new AbortController().signal,
    ): Promise<CheckResult[]> => {
      const named = checks.map((check, at) => ({
        name: `own${at}`,
        schedule: "0 * * * * *",
        ...check,
      }));
      const guard = AgentSettings.shape.guard.parse({ ...settings.guard, checks: named });
      const made = siteChecks({ ...node.ports, settings: { ...settings, guard } });
      return Promise.all(made.map((check) => check.run(signal)));
    },
    sessions: async () =>
      Number(
        (
          await cluster.sql(
            "srv127",
            "select count(*) as n from pg_stat_activity where application_name = 'castellan-agent'",
          )
        )[0]?.["n"],
      ),
    [Symbol.asyncDispose]: async () => {
      await node[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
    },
  };
}

test("a query's first value is compared, whatever type it has; what is no number is told as such", async () => {
  await using bed = await startBed();
  const limits = { warning: "> 10", critical: "> 100", severity: "info" };
  const results = await bed.run([
    { ...limits, sql: "select 5, 1000" },
    { ...limits, sql: "values (11), (1000)" },
    { ...limits, sql: "select 101::bigint as a, 1 as a" },
    { ...limits, sql: "select 10.5::numeric" },
    { ...limits, sql: "select true" },
    { ...limits, sql: "select 1 where false" },
    { ...limits, sql: "select null::int" },
    { ...limits, sql: "select 'password=hunter22'" },
    { ...limits, sql: "select * from not_there" },
  ]);
  expect(results.slice(0, 8)).toEqual([
    { severity: null, text: "5" },
    { severity: "warning", text: "11 (warning > 10)" },
    { severity: "critical", text: "101 (critical > 100)" },
    { severity: "warning", text: "10.5 (warning > 10)" },
    { severity: null, text: "1" },
    { severity: "info", text: "the query gives no row" },
    { severity: "info", text: "the query gives no number: null" },
    { severity: "info", text: expect.stringMatching(/^the query gives no number: .*\[secret\]/) },
  ]);
  expect(results[8]?.text).toContain('relation "not_there" does not exist');
});

test("a check can't change the database, neither in its query nor behind it", async () => {
  await using bed = await startBed();
  await bed.cluster.sql("srv127", "create table kept (id int)");
  await bed.cluster.sql(
    "srv127",
    "create function write() returns int language sql as 'insert into kept values (1) returning id'",
  );
  const limits = { warning: "> 0" };
  const [written, behind] = await bed.run([
    { ...limits, sql: "select write()" },
    { ...limits, sql: "select 1; commit; drop table kept" },
  ]);
  expect(written?.text).toContain("read-only transaction");
  expect(behind?.text).toContain("cannot insert multiple commands");
  expect(await bed.cluster.sql("srv127", "select * from kept")).toEqual([]);
});

test("a query that hangs ends at its limit, in the server too; queries take one session, one after the other", async () => {
  await using bed = await startBed();
  const slow = { warning: "> 0", timeoutMs: 700, sql: "select 0 from pg_sleep(30)" };
  const running = bed.run([slow, slow, { ...slow, sql: "select 7" }]);
  let most = 0;
  let isOver = false;
  void running.then(() => {
    isOver = true;
  });
  await waitFor(async () => {
    most = Math.max(most, await bed.sessions());
    return isOver;
  });
  expect(most).toBe(1);
  const [first, second, third] = await running;
  expect(first?.text).toContain("statement timeout");
  expect(second?.text).toContain("statement timeout");
  expect(third?.text).toBe("7 (warning > 0)");
  await waitFor(async () => (await bed.sessions()) === 0, { what: "its session to be gone" });
});

test("a query of an agent that stops is given up, and so is its session", async () => {
  await using bed = await startBed();
  const stopping = new AbortController();
  const running = bed.run(
    [{ warning: "> 0", timeoutMs: 600_000, sql: "select 0 from pg_sleep(300)" }],
    stopping.signal,
  );
  await waitFor(async () => (await bed.sessions()) === 1);
  stopping.abort();
  await running;
});

test("a server that can't be reached is told as what the check could not ask", async () => {
  await using bed = await startBed();
  await bed.cluster.stop("srv127");
  const [found] = await bed.run([{ warning: "> 0", severity: "critical", sql: "select 1" }]);
  expect(found?.severity).toBe("critical");
  expect(found?.text).toContain("ECONNREFUSED");
});
