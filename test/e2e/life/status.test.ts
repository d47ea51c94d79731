import { createInterface } from "node:readline";
import { expect, test } from "vitest";
import type { StatusAnswer } from "#coordinator/api/contract.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { guardHosts } from "#test/e2e/support/guard-bed.ts";

const limit = { timeoutMs: 30_000 };

test("a cluster's status follows what happens to it, is pushed to who watches, and ends by its state", async () => {
  const nodes = ["srv127", "srv129", "srv159"];
  const lab = await testLab({ hosts: guardHosts(nodes) });
  await using cluster = await createCluster(lab, { product: "postgresql", nodes });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);

  const status = async (): Promise<string> => {
    const { exitCode, stdout } = await castellan.cli(["status", cluster.name]);
    return `exit ${exitCode}\n${stdout}`;
  };
  const until = (...wanted: readonly RegExp[]): Promise<unknown> =>
    waitFor(
      async () => {
        const seen = await status();
        const missing = wanted.filter((each) => !each.test(seen));
        if (missing.length > 0) throw new Error(`${missing.join(" ")} in\n${seen}`);
        return true;
      },
      { ...limit, what: wanted.join(" ") },
    );
  const check = async (verb: string, ...words: readonly string[]): Promise<string> => {
    const { exitCode, stdout } = await castellan.cli(["check", verb, cluster.name, ...words], { reject: false }); // prettier-ignore
    return `${exitCode} ${stdout}`;
  };

  await until(/^exit 0$/m, new RegExp(`^${cluster.name} is healthy`, "m"));
  expect(await check("cluster")).toMatch(/^0 CASTELLAN OK - .*: 3 nodes, the primary is srv127 \|/);
  expect(await check("lag")).toMatch(/^0 CASTELLAN OK .*srv129_lag=\d+B;16777216;;0/);
  expect(await check("agents")).toMatch(/^0 CASTELLAN OK - .*: 3 connected$/);

  const watcher = await castellan.spawnCli(["status", cluster.name, "--watch", "--json"]);
  const pushed: StatusAnswer[] = [];
  if (watcher.stdout === null) throw new Error("no standard output");
  createInterface({ input: watcher.stdout }).on("line", (line) => {
    pushed.push(JSON.parse(line) as StatusAnswer); // the API's own shape
  });
  const isPushed = (state: StatusAnswer["state"], rule: string): Promise<unknown> =>
    waitFor(
      () => pushed.some((each) => each.state === state && each.clusters[0]?.verdict.findings.some((finding) => finding.rule === rule)), // prettier-ignore
      { ...limit, what: `${rule} to be pushed` },
    );
  await waitFor(() => pushed[0]?.state === "healthy", limit);

  // Real lag: WAL arrives, and is not replayed. How late it is, is known from the first commit that it replays.
  await cluster.sql("srv127", "CREATE TABLE early (id int)");
  await waitFor(
    async () => (await cluster.sql("srv129", "SELECT to_regclass('early') IS NOT NULL AS seen"))[0]?.["seen"] === true, // prettier-ignore
    limit,
  );
  await cluster.sql("srv129", "SELECT pg_wal_replay_pause()");
  await cluster.sql("srv127", "CREATE TABLE filler AS SELECT repeat('x', 1000) AS t FROM generate_series(1, 40000)"); // prettier-ignore
  await isPushed("degraded", "lag-high");
  await until(/^exit 20$/m, /warning +srv129: it is \d+\.\d MiB behind, at most/, /next: +castellan why srv129/); // prettier-ignore
  expect(await check("lag")).toMatch(/^1 CASTELLAN WARNING - .*srv129: it is \d/);
  expect(await check("lag", "--critical", "1M")).toMatch(/^2 CASTELLAN CRITICAL/);
  expect(await check("lag", "--warning", "10G")).toMatch(/^0 CASTELLAN OK/);
  await cluster.sql("srv129", "SELECT pg_wal_replay_resume()");
  await until(/^exit 0$/m);

  await cluster.stop("srv129");
  await isPushed("degraded", "database-not-running");
  await until(/^exit 20$/m, /is degraded/, /critical +srv129: its database is stopped/, /next: +castellan why srv129/); // prettier-ignore
  expect(await check("cluster")).toMatch(
    /^2 CASTELLAN CRITICAL - .*srv129: its database is stopped/,
  );
  expect(await check("node", "srv129")).toMatch(/^2 /);
  expect(await check("node", "srv159")).toMatch(/^0 CASTELLAN OK - .*running, standby/);
  expect(await check("lag")).toMatch(/^3 CASTELLAN UNKNOWN/);
  await cluster.start("srv129");
  await until(/^exit 0$/m);

  // What nobody can see is unknown, since when is said, and it is not healthy.
  await castellan.killAgent("srv159");
  await until(/^exit 20$/m, /unknown +srv159: unknown since 20\d\d-/, /srv159 .* away +\S+ s ago/);
  expect(await check("cluster")).toMatch(/^3 CASTELLAN UNKNOWN - .*srv159: unknown since/);
  expect(await check("agents")).toMatch(/^1 CASTELLAN WARNING/);
  await castellan.startAgent("srv159");
  await until(/^exit 0$/m);

  const { host, paths } = cluster.node("srv127");
  const pid = (await host.readFile(`${paths.dataDir}/postmaster.pid`)).split("\n")[0] ?? "";
  await host.exec(["kill", "-9", pid]);
  await isPushed("down", "no-primary");
  await until(/^exit 21$/m, /is down/, /critical +no node is seen that accepts writes: srv127 is stopped/, /next: +castellan why srv127/); // prettier-ignore
  expect(await check("cluster")).toMatch(/^2 CASTELLAN CRITICAL - .*no node is seen/);
  expect(await check("sync")).toMatch(/^3 CASTELLAN UNKNOWN - .*no primary is seen/);

  watcher.kill("SIGINT");
  expect(await watcher.exited).toBe(0);

  const unknown = await castellan.cli(["check", "cluster", "NONE"], { reject: false });
  expect(unknown).toMatchObject({ exitCode: 3, stdout: expect.stringMatching(/^CASTELLAN UNKNOWN - /) }); // prettier-ignore
  expect((await castellan.cli(["status", "NONE"], { reject: false })).exitCode).toBe(8);
  await castellan.killCoordinator();
  expect(await check("cluster")).toMatch(/^3 CASTELLAN UNKNOWN - No coordinator answers/);
  expect((await castellan.cli(["status"], { reject: false })).exitCode).toBe(6);
});
