import type { OperationRecord } from "#coordinator/store/store.ts";
import { enforce } from "#test/e2e/support/guard.ts";
import { writeThroughPool } from "#test/e2e/support/pool-writer.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { describeMachine, renderMachine, type Machine } from "../machine.ts";

export type SwitchoverBenchOptions = {
  readonly rounds: number;
  readonly say: (line: string) => void;
};

type Blackout = { readonly p50: number; readonly p95: number; readonly p99: number; readonly max: number }; // prettier-ignore
type Row = {
  readonly rounds: number;
  readonly blackoutMs: Blackout;
  readonly lostAcknowledged: number;
  /** What `failover_command` was called for and answered, with how often. */
  readonly calls: Readonly<Record<string, number>>;
};

export type SwitchoverResult = Row & {
  /** KingbaseES' names on PostgreSQL 10. */
  readonly pg10: Row;
  readonly targetP95Ms: typeof targetP95Ms;
  readonly ok: boolean;
  readonly machine: Machine;
};

const targetP95Ms = { pg15: 2_000, pg10: 4_000 } as const;
const names = ["srv127", "srv129", "srv159"];
const hosts = [...names, "coord"].map((name) => ({
  name,
  address: `192.168.4.${name === "coord" ? "10" : name.slice(3)}`,
}));

/** Each node becomes the primary in turn, while a client writes through the pool. */
export async function benchSwitchover({
  rounds,
  say,
}: SwitchoverBenchOptions): Promise<SwitchoverResult> {
  const machine = await describeMachine();
  say(renderMachine(machine));
  const pg15 = await measure({ product: "postgresql", version: 15 }, rounds, say);
  const pg10 = await measure({ product: "kingbase-v8r3" }, rounds, say);
  const ok =
    pg15.blackoutMs.p95 <= targetP95Ms.pg15 &&
    pg10.blackoutMs.p95 <= targetP95Ms.pg10 &&
    [pg15, pg10].every(({ lostAcknowledged, calls }) => lostAcknowledged === 0 && calls["promoted"] === undefined); // prettier-ignore
  return { ...pg15, pg10, targetP95Ms, ok, machine };
}

async function measure(
  lane: LaneOptions,
  rounds: number,
  say: (line: string) => void,
): Promise<Row> {
  await using lab = await createLab({ hosts });
  const { nodePath, projectPath } = lab.host("srv127");
  const program = `${nodePath} ${projectPath}/dist/castellan-failover.js`;
  await using cluster = await createCluster(lab, {
    ...lane,
    nodes: names,
    pool: true,
    poolSettings: { failover_command: `'${program} %d %h %p %D %m %H %M %P %r %R'` },
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  await enforce(castellan, cluster.nodes);
  const writer = writeThroughPool(cluster);
  const gaps: number[] = [];
  let primary = "srv127";
  for (let round = 1; round <= rounds; round += 1) {
    const to = names[round % names.length] ?? "srv127";
    writer.longestGap();
    const done = await castellan.json<OperationRecord>(["switchover", cluster.name, "--to", to, "--yes"]); // prettier-ignore
    if (done.state !== "succeeded") throw new Error(`round ${round}: ${done.state}`);
    const gap = writer.longestGap();
    gaps.push(gap);
    say(`${lane.product} ${round}: ${primary} to ${to}, nobody could write for ${gap} ms`);
    primary = to;
    await allAgree(cluster, to);
  }
  const acknowledged = await writer.stop();
  const kept = await cluster.sql(primary, "SELECT id::int AS id FROM ledger WHERE note = 'pooled'");
  const ids = new Set(kept.map(({ id }) => id));
  return {
    rounds,
    blackoutMs: spread(gaps),
    lostAcknowledged: acknowledged.filter((id) => !ids.has(id)).length,
    calls: await callsOf(cluster),
  };
}

/** Every other node streams from it, and every pool says so: a switchover that leaves less has failed. */
async function allAgree(cluster: TestCluster, primary: string): Promise<void> {
  const { pools, nodes } = cluster;
  await waitFor(
    async () => (await cluster.sql(primary, "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'")).length === nodes.length - 1, // prettier-ignore
    { what: `every standby to stream from ${primary}` },
  );
  for (const { name } of pools?.nodes ?? []) {
    const rows = (await pools?.show(name)) ?? [];
    const wrong = rows.filter(
      ({ status, role, hostname }) =>
        status !== "up" || (role === "primary") !== (hostname === cluster.node(primary).address),
    );
    if (wrong.length > 0) throw new Error(`the pool of ${name} says ${JSON.stringify(wrong)}`);
  }
}

async function callsOf({ nodes }: TestCluster): Promise<Row["calls"]> {
  const calls: Record<string, number> = {};
  for (const { host } of nodes) {
    const file = `${host.root}/var/lib/castellan-agent/failover.log`;
    const text = host.exists(file) ? await host.readFile(file) : "";
    for (const line of text.split("\n").filter((one) => one !== "")) {
      const [, answer = ""] = line.split(": ");
      calls[answer] = (calls[answer] ?? 0) + 1;
    }
  }
  return calls;
}

function spread(values: readonly number[]): Blackout {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) };
}
