import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createScene, quickSettings, type Scene } from "#test/e2e/support/scene.ts";
import { labHosts } from "#test/e2e/support/hosts.ts";
import { newestOperation } from "#test/e2e/support/operations.ts";
import { expectRefusal } from "#test/e2e/support/refusal.ts";
import { follow } from "#test/e2e/support/under-way.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { untilStopped } from "#test/matrix/stopped.ts";

/** One cluster without a pool; the last test switches it over, after all that was refused. */
let scene: Scene;
let cluster: Scene["cluster"];
let castellan: Scene["castellan"];

beforeAll(async () => {
  const nodes = ["srv127", "srv129", "srv159"];
  scene = await createScene(
    {
      hosts: [...labHosts, { name: "srv168", address: "192.168.4.168" }],
      nodes,
      newNode: "srv168",
    },
    { crashPoints: true, settings: quickSettings },
  );
  ({ cluster, castellan } = scene);
}, 90_000);

afterAll(() => scene?.[Symbol.asyncDispose]());

const to = (node: string, ...more: string[]) => ["switchover", cluster.name, "--to", node, ...more];
const refused = (args: readonly string[], exitCode: number, ...says: string[]): Promise<void> =>
  expectRefusal(cluster, castellan, { args, exitCode, says });

test("to the primary itself, to a node that is none, and of a cluster that is none", async () => {
  await refused(to("srv127", "--yes"), 3, "srv127 is the primary already");
  await refused(to("srv999", "--yes"), 3, "srv999 is no node of", "It has srv127, srv129, srv159");
  await refused(["switchover", "OTHER", "--to", "srv129", "--yes"], 8, "OTHER");
});

test("to a node whose database is stopped, or whose agent is away", async () => {
  await cluster.stop("srv129");
  await refused(to("srv129", "--yes"), 3, "the database of srv129 is stopped");
  await cluster.start("srv129");
  await castellan.killAgent("srv129");
  await refused(to("srv129", "--yes"), 3, "the agent of srv129 is away", "Start castellan-agent");
  await castellan.startAgent("srv129");
  await castellan.connected(["srv129"]);
  await streaming("srv127", "srv129");
});

test("to a node that is behind by more than is allowed", async () => {
  await cluster.sql("srv129", "SELECT pg_wal_replay_pause()");
  onTestFinished(async () => {
    await cluster.sql("srv129", "SELECT pg_wal_replay_resume()");
  });
  await cluster.sql("srv127", "CREATE TABLE ahead AS SELECT repeat('x', 1000) AS text FROM generate_series(1, 5000)"); // prettier-ignore
  await refused(to("srv129", "--lag-limit", "1MB", "--yes"), 3, "srv129 is", "at most 1.0 MiB is wanted", "--lag-limit"); // prettier-ignore
});

test("to a node that streams from another standby", async () => {
  const [conninfo] = await cluster.sql("srv159", "SELECT setting FROM pg_settings WHERE name = 'primary_conninfo'"); // prettier-ignore
  const before = String(conninfo?.["setting"]);
  const streamFrom = async (upstream: string, value: string): Promise<void> => {
    await cluster.sql("srv159", `ALTER SYSTEM SET primary_conninfo = '${value.replaceAll("'", "''")}'`); // prettier-ignore
    await cluster.sql("srv159", "SELECT pg_reload_conf()");
    await streaming(upstream, "srv159");
  };
  await cluster.sql("srv129", "SELECT pg_create_physical_replication_slot('slot_srv159') WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'slot_srv159')"); // prettier-ignore
  await streamFrom("srv129", before.replace("192.168.4.127", "192.168.4.129"));
  await refused(to("srv159", "--yes"), 3, "srv159 does not stream from srv127: its receiver is streaming, from", "192.168.4.129"); // prettier-ignore
  await streamFrom("srv127", before);
});

test("a plan that was shown before somebody changed a setting", async () => {
  const shown = /^Plan (\w+)$/m.exec((await castellan.cli(to("srv129", "--dry-run"))).stdout)?.[1];
  await cluster.sql("srv129", "ALTER SYSTEM SET synchronous_standby_names = '1 (srv127)'");
  await cluster.sql("srv129", "SELECT pg_reload_conf()");
  await refused(to("srv129", "--plan", shown ?? "none", "--yes"), 18, "synchronous_standby_names");
  await cluster.sql("srv129", "ALTER SYSTEM RESET synchronous_standby_names");
  await cluster.sql("srv129", "SELECT pg_reload_conf()");
});

test("while another operator's switchover is under way, which goes on", async () => {
  await castellan.killAgent("srv127");
  await castellan.startAgent("srv127", { CASTELLAN_STOP_AT: "step:primary-stopped" });
  await castellan.connected(["srv127"]);
  const first = await follow(scene, to("srv129", "--yes"));
  await untilStopped(castellan.agent("srv127"), "step:primary-stopped");
  const second = await castellan.cli(to("srv159", "--yes"), { reject: false });
  expect(second.exitCode).toBe(7);
  expect(second.stderr).toContain((await newestOperation(castellan))?.id);
  castellan.agent("srv127").kill("SIGCONT");
  expect(await first.ended()).toMatchObject({ exitCode: 0, operation: { state: "succeeded" } });
  await streaming("srv129", "srv127");
  await streaming("srv129", "srv159");
});

async function streaming(upstream: string, node: string): Promise<void> {
  await waitFor(
    async () =>
      (await cluster.sql(upstream, `SELECT 1 FROM pg_stat_replication WHERE state = 'streaming' AND application_name = '${node}'`)).length === 1, // prettier-ignore
    { timeoutMs: 30_000, what: `${node} to stream from ${upstream}` },
  );
}
