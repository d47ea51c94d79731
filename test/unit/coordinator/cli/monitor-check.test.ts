import { expect, test } from "vitest";
import type { NodeStatus } from "#coordinator/api/contract.ts";
import { createCommandLine } from "#coordinator/cli/command-line.ts";
import type { JudgedCluster } from "#coordinator/fleet/finding-rule.ts";
import { failures, Failure } from "#shared/errors.ts";
import { stateExitCodes } from "#coordinator/cli/commands/status.ts";
import { someStatus, someStatusCluster, unseen } from "#test/unit/coordinator/some-status.ts";
import { cliContext, quiet } from "./cli-context.ts";

const healthy = someStatusCluster();
const edited = (name: string, change: Partial<NodeStatus>, cluster = healthy): JudgedCluster => ({
  ...cluster,
  nodes: cluster.nodes.map((node) => (node.name === name ? { ...node, ...change } : node)),
});
const away = (name: string): JudgedCluster => ({
  ...healthy,
  nodes: healthy.nodes.map((node) => (node.name === name ? unseen(node, "away") : node)),
});

async function check(cluster: JudgedCluster | Failure, ...words: readonly string[]) {
  const said = quiet();
  const get = () =>
    cluster instanceof Failure
      ? Promise.reject(cluster)
      : Promise.resolve(someStatus(cluster) as never); // the API's own shape
  const program = createCommandLine(cliContext({ get }, said));
  const [verb = "", ...rest] = words;
  await program.parseAsync(["node", "castellan", "check", verb, ...rest]).catch(() => undefined); // said by then
  return [said.exitCode, ...said.out];
}

const lagging = edited("srv159", { lagBytes: 40 * 1024 ** 2, lagMs: 12_300 });
const stopped = { database: "stopped", role: null, isReceiving: false } as const;
const wal = (retainedBytes: number): JudgedCluster =>
  edited("srv127", { slots: [{ name: "slot_a", active: true, retainedBytes, budgetBytes: null }] });

test.each<readonly [string, JudgedCluster, number, string]>([
  ["cluster ESHA", healthy, 0, "CASTELLAN OK - ESHA: 3 nodes, the primary is srv127 | nodes=3 findings=0;;;0"], // prettier-ignore
  ["cluster ESHA", { ...healthy, alerts: { critical: 0, warning: 3, info: 0 } }, 0, "CASTELLAN OK - ESHA: 3 nodes, the primary is srv127 | nodes=3 findings=1;;;0"], // prettier-ignore
  ["cluster ESHA", edited("srv127", stopped), 2, "CASTELLAN CRITICAL - ESHA: no node is seen that accepts writes: srv127 is stopped, srv129 is a standby, srv159 is a standby; srv127: its database is stopped | nodes=3 findings=2;;;0"], // prettier-ignore
  ["cluster ESHA", away("srv159"), 3, "CASTELLAN UNKNOWN - ESHA: srv159: unknown since 1970-01-01 00:00:10Z, as its agent is away; srv127 says that its replication is streaming | nodes=3 findings=1;;;0"], // prettier-ignore
  ["node ESHA srv129", healthy, 0, "CASTELLAN OK - ESHA srv129: running, standby, timeline 3 | lag=0B;;;0"], // prettier-ignore
  ["node ESHA srv129", edited("srv129", stopped), 2, "CASTELLAN CRITICAL - ESHA srv129: srv129: its database is stopped | lag=0B;;;0"], // prettier-ignore
  ["node ESHA srv9", healthy, 3, "CASTELLAN UNKNOWN - There is no node srv9 in ESHA."],
  ["lag ESHA", lagging, 1, "CASTELLAN WARNING - ESHA: srv159: it is 40.0 MiB (at most 12.3 s) behind | srv129_lag=0B;16777216;;0 srv129_lag_time=0ms;;;0 srv159_lag=41943040B;16777216;;0 srv159_lag_time=12300ms;;;0"], // prettier-ignore
  ["lag ESHA --warning 50M", lagging, 0, "CASTELLAN OK - ESHA: srv129 0 B (at most 0.0 s), srv159 40.0 MiB (at most 12.3 s) | srv129_lag=0B;52428800;;0 srv129_lag_time=0ms;;;0 srv159_lag=41943040B;52428800;;0 srv159_lag_time=12300ms;;;0"], // prettier-ignore
  ["lag ESHA --warning 1M --critical 10s", lagging, 2, "CASTELLAN CRITICAL - ESHA: srv159: it is 40.0 MiB (at most 12.3 s) behind | srv129_lag=0B;1048576;;0 srv129_lag_time=0ms;;10000;0 srv159_lag=41943040B;1048576;;0 srv159_lag_time=12300ms;;10000;0"], // prettier-ignore
  ["lag ESHA", edited("srv129", { ...stopped, lagBytes: null, lagMs: null }, edited("srv159", { lagMs: null })), 3, "CASTELLAN UNKNOWN - ESHA: srv129: how far it is is not known (stopped) | srv159_lag=0B;16777216;;0"], // prettier-ignore
  ["slots ESHA", wal(5), 0, "CASTELLAN OK - ESHA: 1 slots hold back WAL | srv127_slot_a=5B;;;0"],
  ["slots ESHA --warning 4 --critical 1G", wal(5), 1, "CASTELLAN WARNING - ESHA: srv127: slot slot_a holds back 5 B | srv127_slot_a=5B;4;1073741824;0"], // prettier-ignore
  ["slots ESHA", away("srv159"), 3, "CASTELLAN UNKNOWN - ESHA: srv159: unknown since 1970-01-01 00:00:10Z, as its agent is away; srv127 says that its replication is streaming | srv127_slot_srv129=0B;;;0 srv127_slot_srv159=0B;;;0"], // prettier-ignore
  ["sync ESHA", healthy, 0, "CASTELLAN OK - ESHA: asynchronous"],
  ["sync ESHA", edited("srv127", { synchronous: { names: "1 (srv129)", standbys: 0 } }), 2, "CASTELLAN CRITICAL - ESHA: srv127: commits wait: '1 (srv129)' asks for 1 synchronous standbys, there are 0"], // prettier-ignore
  ["sync ESHA", edited("srv127", stopped), 3, "CASTELLAN UNKNOWN - ESHA: no primary is seen"],
  ["pool ESHA", healthy, 0, "CASTELLAN OK - ESHA: pools run on srv127, srv129"],
  ["pool ESHA", edited("srv129", { ownPool: "stopped" }), 1, "CASTELLAN WARNING - ESHA: srv129: its pool is stopped"], // prettier-ignore
  ["pool ESHA", away("srv159"), 0, "CASTELLAN OK - ESHA: pools run on srv127, srv129"],
  ["vip ESHA", healthy, 0, "CASTELLAN OK - ESHA: 192.168.4.126 on srv127, 192.168.4.125 on srv127"],
  ["agents ESHA", healthy, 0, "CASTELLAN OK - ESHA: 3 connected"],
  ["agents ESHA", away("srv159"), 1, "CASTELLAN WARNING - ESHA: srv159: unknown since 1970-01-01 00:00:10Z, as its agent is away; srv127 says that its replication is streaming"], // prettier-ignore
  ["guard ESHA", healthy, 0, "CASTELLAN OK - ESHA: srv127 enforce, srv129 enforce, srv159 enforce"],
  ["alerts ESHA", { ...healthy, alerts: { critical: 0, warning: 2, info: 1 } }, 1, "CASTELLAN WARNING - ESHA: 2 warning alerts stand | critical=0 warning=2 info=1"], // prettier-ignore
])("check %s", async (words, cluster, exitCode, line) => {
  expect(await check(cluster, ...words.split(" "))).toEqual([exitCode, line]);
});

test("a coordinator that is away, and a word that is wrong, are UNKNOWN on the line that is read", async () => {
  const gone = new Failure("COORDINATOR_UNREACHABLE", "No coordinator answers on /run/x (ENOENT).");
  expect(await check(gone, "cluster", "ESHA")).toEqual([3, "CASTELLAN UNKNOWN - No coordinator answers on /run/x (ENOENT)."]); // prettier-ignore
  expect(await check(healthy, "lag", "ESHA", "--warning", "much")).toEqual([3, expect.stringMatching(/^CASTELLAN UNKNOWN - error: option '--warning <limit>' argument 'much' is invalid/)]); // prettier-ignore
  expect(await check(healthy, "cluster")).toEqual([3, expect.stringContaining("missing required argument 'cluster'")]); // prettier-ignore
});

test("what a server says can't begin the figures or another line", async () => {
  const problems = { database: "a|b\nc", upstream: null, pool: null, rebuild: null };
  const [, line] = await check(
    edited("srv129", { ...stopped, problems }),
    "node",
    "ESHA",
    "srv129",
  );
  expect(line).toBe("CASTELLAN CRITICAL - ESHA srv129: srv129: its database is stopped (a/b c) | lag=0B;;;0"); // prettier-ignore
});

test("a coordinator of before, which judges nothing, is named as such", async () => {
  const said = quiet();
  const get = () => Promise.resolve({ clusters: [] } as never); // what it answered
  const program = createCommandLine(cliContext({ get }, said));
  await expect(program.parseAsync(["node", "castellan", "status"])).rejects.toMatchObject({ code: "VERSION_MISMATCH" }); // prettier-ignore
});

test("a state's exit status is no failure's", () => {
  const taken = Object.values(failures).map(({ exitCode }): number => exitCode);
  expect(taken).not.toContain(stateExitCodes.degraded);
  expect(taken).not.toContain(stateExitCodes.down);
});
