import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { measureThroughput } from "#agent/steps/measure-throughput.ts";
import { measureWalRate } from "#agent/steps/measure-wal-rate.ts";
import { hashOf } from "#agent/steps/own-file.ts";
import { setSynchronousList } from "#agent/steps/set-synchronous-list.ts";
import { verifyData } from "#agent/steps/verify-data.ts";
import type { CommandArgs } from "#shared/domain/commands.ts";
import { runStep } from "./run-step.ts";
import { addStandby, standbyArgs, type StandbyArgs } from "./standby-steps.ts";
import { binDirectory, createStepLab, type StepLab } from "./step-lab.ts";
import type { TestAgent } from "./test-agent.ts";

let lab: StepLab;
let primary: TestAgent;
let target: TestAgent;
let args: StandbyArgs;
let counts: CommandArgs<"verify-data">;

beforeAll(async () => {
  lab = await createStepLab();
  primary = await lab.agent("n1");
  target = await lab.agent("n2");
  const { port } = lab.n1;
  await lab.sql(
    port,
    'CREATE TABLE "Odd Name" AS SELECT g, g::text t FROM generate_series(1, 5000) g',
  );
  await lab.sql(port, "CREATE TABLE small AS SELECT 'AAAAAAAA'::text AS word");
  await lab.sql(port, "CREATE TABLE busy (n int)");
  await lab.sql(port, "CREATE DATABASE other");
  await lab.sql(port, "CREATE TABLE there AS SELECT 1 AS n", "other");
  args = await standbyArgs(lab);
  await addStandby(args, primary, target);
  counts = { upstream: lab.upstream, level: "counts", maxTables: 20, stallMs: 10_000 };
});

afterAll(async () => {
  await target[Symbol.asyncDispose]();
  await primary[Symbol.asyncDispose]();
  await lab[Symbol.asyncDispose]();
});

function outcomes(result: Awaited<ReturnType<typeof verifyData.verify>>): Record<string, unknown> {
  return Object.fromEntries(result.tables.map((t) => [`${t.database}.${t.table}`, t.outcome]));
}

test("tables of every database are counted on both sides, within moments", async () => {
  const startedAt = performance.now();
  const result = await verifyData.verify(counts, target);
  expect(performance.now() - startedAt).toBeLessThan(3000);
  expect(outcomes(result)).toEqual({
    "postgres.public.Odd Name": "equal",
    "postgres.public.small": "equal",
    "postgres.public.busy": "equal",
    "other.public.there": "equal",
  });
  expect(result.tables.find(({ table }) => table === "public.Odd Name")?.rows).toBe(5000);
});

test("with no level only the position is waited for", async () => {
  const result = await verifyData.verify({ ...counts, level: "none" }, target);
  expect(result.tables).toEqual([]);
  expect(result.lines[0]).toContain("replayed past");
});

test("a table that is written during the comparison is never called equal", async () => {
  await using writer = await primary.databases.connectOwn("postgres");
  let writing = true;
  const written = (async () => {
    while (writing) await writer.query("UPDATE busy SET n = n + 1");
  })();
  await lab.sql(lab.n1.port, "INSERT INTO busy VALUES (1)");
  const result = await verifyData.verify({ ...counts, level: "content" }, target);
  writing = false;
  await written;
  expect(outcomes(result)).toMatchObject({
    "postgres.public.busy": "changed-meanwhile",
    "postgres.public.Odd Name": "equal",
  });
});

test("one changed byte in a row is found by content, and fails the step", async () => {
  await execa(`${binDirectory}/pg_ctl`, ["-D", lab.n2.paths.dataDirectory, "-w", "stop"]);
  const relative = await lab.sql(lab.n1.port, "SELECT pg_relation_filepath('small')");
  const path = join(lab.n2.paths.dataDirectory, relative);
  const at = (await readFile(path, "latin1")).indexOf("AAAAAAAA");
  expect(at).toBeGreaterThan(0);
  const file = await open(path, "r+");
  await file.write("B", at, "latin1");
  await file.close();
  const log = join(lab.folder, "n2", "again.log");
  await execa(
    `${binDirectory}/pg_ctl`,
    ["-D", lab.n2.paths.dataDirectory, "-w", "-l", log, "start"],
    {
      stdio: "ignore",
    },
  );
  await expect(verifyData.verify({ ...counts, level: "content" }, target)).rejects.toMatchObject({
    code: "VERIFICATION_FAILED",
    evidence: ["postgres: public.small, 1 rows there"],
  });
  expect((await verifyData.verify(counts, target)).tables.length).toBe(4);
});

test("the synchronous list is set where it was expected, and undo takes our line out again", async () => {
  const list = { value: "1 (n1, n2)", expected: "" };
  await expect(
    runStep(setSynchronousList, { ...list, expected: "1 (n9)" }, primary),
  ).rejects.toMatchObject({ code: "OPERATION_CONFLICT" });
  const autoConf = join(lab.n1.paths.dataDirectory, "postgresql.auto.conf");
  const before = await readFile(autoConf, "utf8");
  const result = await runStep(setSynchronousList, list, primary);
  // What it was before: an undo whose answer is lost is read backwards.
  expect(result.files[0]).toMatchObject({ path: autoConf, from: hashOf(before) });
  expect(await lab.sql(lab.n1.port, "SELECT sync_state FROM pg_stat_replication")).toBe("sync");
  await setSynchronousList.undo(list, primary);
  expect(await readFile(autoConf, "utf8")).toBe(before);
  expect(await lab.sql(lab.n1.port, "SHOW synchronous_standby_names")).toBe("");
});

test("a list that somebody changed after us is kept", async () => {
  const list = { value: "1 (n1, n2)", expected: "" };
  await runStep(setSynchronousList, list, primary);
  await lab.sql(lab.n1.port, "ALTER SYSTEM SET synchronous_standby_names = '1 (n2)'");
  await lab.sql(lab.n1.port, "SELECT pg_reload_conf()");
  const undone = await setSynchronousList.undo(list, primary);
  expect(undone.lines[0]).toContain("is kept");
  // A reload is a signal: sessions have the new value a moment later.
  await expect.poll(() => lab.sql(lab.n1.port, "SHOW synchronous_standby_names")).toBe("1 (n2)");
  await lab.sql(lab.n1.port, "ALTER SYSTEM RESET synchronous_standby_names");
  await lab.sql(lab.n1.port, "SELECT pg_reload_conf()");
});

test("bandwidth and WAL rate are measured without writing anything", async () => {
  const throughput = await measureThroughput.verify(
    { upstream: lab.upstream, bytes: 16 * 1024 * 1024 },
    target,
  );
  expect(throughput.bytesPerSecond).toBeGreaterThan(1e6);
  await lab.sql(lab.n1.port, "CREATE TABLE grown (n int)");
  let isMeasured = false;
  const rate = measureWalRate.verify({ windowMs: 400 }, primary).finally(() => (isMeasured = true));
  // Some of them fall into the window, whenever it begins.
  while (!isMeasured) {
    await lab.sql(lab.n1.port, "INSERT INTO grown SELECT generate_series(1, 5000)");
  }
  expect((await rate).bytesPerSecond).toBeGreaterThan(100_000);
});

test("an abort ends a comparison in the middle of its query, which has no limit of its own", async () => {
  const controller = new AbortController();
  const connect: TestAgent["databases"]["connect"] = async (login, options) => {
    const session = await target.databases.connect(login, options);
    const query: typeof session.query = (sql, parameters) => {
      if (!sql.includes("FROM ONLY")) return session.query(sql, parameters);
      setImmediate(() => controller.abort(new Error("given up")));
      return session.query("SELECT pg_sleep(60)"); // a table of a terabyte
    };
    return { ...session, query };
  };
  const databases = { ...target.databases, connect };
  const startedAt = performance.now();
  await expect(
    verifyData.verify(counts, { ...target, signal: controller.signal, databases }),
  ).rejects.toThrow();
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
