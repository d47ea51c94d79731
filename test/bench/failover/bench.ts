import { setTimeout as sleep } from "node:timers/promises";
import { parseDocument } from "yaml";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { enforce } from "#test/e2e/support/guard.ts";
import { killPrimary, leaveBehind } from "#test/e2e/support/lost-primary.ts";
import { writeThroughPool, type PoolWriter } from "#test/e2e/support/pool-writer.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { describeMachine, renderMachine, type Machine } from "../machine.ts";

export type FailoverBenchOptions = {
  /** With asynchronous commits, and as many with synchronous ones. */
  readonly rounds: number;
  readonly say: (line: string) => void;
};

type Times = { readonly p50: number; readonly p99: number };
type Row = {
  /** From the last row that was acknowledged to the next. */
  readonly writableMs: Times;
  /** From the kill until both others stream, and both pools have all rows up. */
  readonly redundancyMs: Times;
  /** Rounds whose former primary could not be rewound, and was copied anew. */
  readonly rebuilt: number;
  readonly lostAcknowledged: number;
};

type FailoverResult = Omit<Row, "lostAcknowledged"> & {
  readonly rounds: number;
  readonly lostAcknowledged: { readonly async: number; readonly sync: number };
  readonly sync: Omit<Row, "lostAcknowledged">;
  readonly ok: boolean;
  readonly machine: Machine;
};

/** Each node's turn comes again after more than a minute: one that dies sooner, three times, is started no more. */
const restMs = 16_000;
const names = ["srv127", "srv129", "srv159"];
const hosts = [...names, "coord"].map((name) => ({
  name,
  address: `192.168.4.${name === "coord" ? "10" : name.slice(3)}`,
}));

/** PostgreSQL 15, through the pool; ends with an error where anybody but the most advanced standby is promoted. */
export async function benchFailover({
  rounds,
  say,
}: FailoverBenchOptions): Promise<FailoverResult> {
  const machine = await describeMachine();
  say(renderMachine(machine));
  const { lostAcknowledged: async, ...times } = await measure("async", rounds, say);
  const { lostAcknowledged: sync, ...syncTimes } = await measure("sync", rounds, say);
  return { rounds, ...times, lostAcknowledged: { async, sync }, sync: syncTimes, ok: sync === 0, machine }; // prettier-ignore
}

async function measure(
  commits: "async" | "sync",
  rounds: number,
  say: (line: string) => void,
): Promise<Row> {
  await using lab = await createLab({ hosts });
  const { nodePath, projectPath } = lab.host("srv127");
  const program = `${nodePath} ${projectPath}/dist/castellan-failover.js`;
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    version: 15,
    nodes: names,
    pool: true,
    poolSettings: { failover_command: `'${program} %d %h %p %D %m %H %M %P %r %R'` },
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  for (const { name, host } of cluster.nodes) {
    const file = "/etc/castellan/agent.yaml";
    const document = parseDocument(await host.readFile(file));
    document.setIn(["guard", "rejoin"], "all");
    // More rounds than the guard would act on in ten minutes.
    document.setIn(["guard", "actions", "most"], 1_000);
    await host.writeFile(file, document.toString(), { mode: 0o644 });
    await castellan.killAgent(name);
    await castellan.startAgent(name);
  }
  await waitFor(
    async () =>
      (await castellan.cli(["cluster", "import", cluster.name, "--node", ...names])).exitCode === 0,
    { what: "all agents to be back" },
  );
  await enforce(castellan, cluster.nodes);
  if (commits === "sync") {
    for (const name of names) {
      await cluster.sql(name, `ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (${names.join(", ")})'`); // prettier-ignore
      await cluster.sql(name, "SELECT pg_reload_conf()");
    }
  }
  const writer = writeThroughPool(cluster);
  const writable: number[] = [];
  const redundant: number[] = [];
  let copied = 0;
  let primary = "srv127";
  for (let round = 1; round <= rounds; round += 1) {
    const seen = await oneRound({ cluster, castellan, writer }, primary);
    writable.push(seen.writableMs);
    redundant.push(seen.redundancyMs);
    copied += seen.isRebuilt ? 1 : 0;
    say(`${commits} ${round}: ${primary} killed, ${seen.leader} promoted, ${seen.behind} was ${seen.behindBytes} bytes behind; nobody could write for ${seen.writableMs} ms, all redundant after ${seen.redundancyMs} ms${seen.isRebuilt ? ", by a rebuild" : ""}`); // prettier-ignore
    primary = seen.leader;
    await sleep(restMs);
  }
  const acknowledged = await writer.stop();
  const kept = await cluster.sql(primary, "SELECT id::int AS id FROM ledger WHERE note = 'pooled'");
  const ids = new Set(kept.map(({ id }) => id));
  return {
    writableMs: times(writable),
    redundancyMs: times(redundant),
    rebuilt: copied,
    lostAcknowledged: acknowledged.filter((id) => !ids.has(id)).length,
  };
}

/** The one that is left behind has, two times of three, the lower row: a pool by itself would take that. */
async function oneRound(
  {
    cluster,
    castellan,
    writer,
  }: { cluster: TestCluster; castellan: Castellan; writer: PoolWriter },
  primary: string,
) {
  const [, behind = "", most = ""] = [...names, ...names].slice(names.indexOf(primary));
  const heal = await leaveBehind(cluster, behind, primary);
  const behindBytes = await waitFor(
    async () => {
      const [row] = await cluster.sql(primary, "SELECT pg_current_wal_lsn()::text AS lsn");
      const [other] = await cluster.sql(behind, `SELECT '${String(row?.["lsn"])}'::pg_lsn - pg_last_wal_receive_lsn() AS bytes`); // prettier-ignore
      const bytes = Number(other?.["bytes"] ?? 0);
      return bytes > 50_000 ? bytes : null;
    },
    { what: `${behind} to be behind` },
  );
  writer.longestGap();
  const begun = performance.now();
  await killPrimary(cluster, primary);
  await heal();
  const what = `all to follow ${most}`;
  const isBack = await waitFor(() => isRedundant(cluster, most), { timeoutMs: 30_000, what }).catch(() => false); // prettier-ignore
  const isRebuilt = !isBack && (await rebuilt(castellan, cluster.name, primary));
  await waitFor(() => isRedundant(cluster, most), { timeoutMs: 240_000, what });
  const redundancyMs = Math.round(performance.now() - begun);
  return { leader: most, behind, behindBytes, writableMs: writer.longestGap(), redundancyMs, isRebuilt }; // prettier-ignore
}

/** A former primary that pg_rewind can't bring back is copied anew, as its alert asks for. */
async function rebuilt(castellan: Castellan, cluster: string, node: string): Promise<boolean> {
  const alerts = await castellan.json<readonly AlertRecord[]>(["alert", "list"]);
  if (!alerts.some(({ cause }) => cause === `node:${node}:guard:needs-rebuild`)) return false;
  await castellan.cli(["node", "rebuild", cluster, node, "--yes"], { timeoutMs: 240_000 });
  return true;
}

/** true, or an error that says who does not follow, or is not shown as it is. */
async function isRedundant(cluster: TestCluster, leader: string): Promise<true> {
  for (const name of names.filter((one) => one !== leader)) {
    const [role] = await cluster.sql(name, "SELECT pg_is_in_recovery() AS standby");
    if (role?.["standby"] !== true) throw new Error(`${name} is a primary, though ${leader} had most`); // prettier-ignore
  }
  const senders = await cluster.sql(leader, "SELECT application_name::text AS name, state FROM pg_stat_replication"); // prettier-ignore
  if (senders.filter(({ state }) => state === "streaming").length < names.length - 1) {
    throw new Error(`${leader} sends to ${JSON.stringify(senders)}`);
  }
  const { address } = cluster.node(leader);
  for (const { name } of cluster.pools?.nodes ?? []) {
    const rows = (await cluster.pools?.show(name)) ?? [];
    const isWrong = rows.some(({ status, role, hostname }) => status !== "up" || (role === "primary") !== (hostname === address)); // prettier-ignore
    if (isWrong || rows.length < names.length) {
      const shown = rows.map(({ hostname, status, role }) => `${String(hostname)} ${String(status)} ${String(role)}`); // prettier-ignore
      throw new Error(`the pool of ${name} shows ${shown.join(", ")}`);
    }
  }
  return true;
}

function times(values: readonly number[]): Times {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}
