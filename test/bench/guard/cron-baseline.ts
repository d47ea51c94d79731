import { setTimeout as sleep } from "node:timers/promises";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import {
  hasEndedWell,
  installVendorCron,
  startCrond,
  type Crond,
} from "#test/vendor-cron/install.ts";
import { latencyOf } from "../drift/tally.ts";
import { benchHosts } from "./bed.ts";
import { bringBack, failOver } from "./repoint.ts";
import { percentiles, type Percentiles } from "./rounds.ts";

/** What the vendor's checks take. Only the re-point is measured; the rest follows from their schedule. */
export type CronBaseline = {
  readonly repointMs: Percentiles & { readonly from: "measured" };
  readonly databaseDeathMs: ComputedRow;
  readonly poolDeathMs: ComputedRow;
  readonly vipMs: ComputedRow;
};

type ComputedRow = {
  readonly from: "computed";
  readonly p50: number | null;
  readonly p99: number | null;
  readonly because: string;
};

const everyMs = 60_000;
const untilNextRun = { p50: everyMs / 2, p99: everyMs * 0.99 };
const computed = {
  databaseDeathMs: {
    from: "computed",
    p50: null,
    p99: null,
    because: "never told: no step of the check speaks of a dead database to anybody",
  },
  poolDeathMs: {
    from: "computed",
    ...untilNextRun,
    because:
      "restartcluster.sh starts it at the next full minute; its three pings and the pool's own start come on top",
  },
  vipMs: {
    from: "computed",
    ...untilNextRun,
    because:
      "a standby takes the address off itself at the next full minute, after the pings; nobody is told",
  },
} as const;

/**
 * A real crond on every node runs the re-implemented checks each minute; the pool's view is real too. The rounds'
 * promotions are spread evenly over the minute.
 */
export async function runCronRepoints(
  rounds: number,
  say: (line: string) => void,
): Promise<CronBaseline> {
  await using lab = await createLab({ hosts: benchHosts });
  await using cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    // The names' PostgreSQL 10 has no program that rewinds.
    version: 15,
    nodes: ["srv127", "srv129", "srv159"],
    pool: true,
  });
  await installVendorCron(cluster);
  const cronds = new Map<string, Crond>();
  for (const node of cluster.nodes) cronds.set(node.name, await startCrond(node));
  const taken: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const [from, to] = round % 2 === 0 ? ["srv127", "srv129"] : ["srv129", "srv127"];
    const failover = { from, to, other: "srv159" } as const;
    for (const standby of [to, "srv159"]) {
      await waitFor(() => hasEndedWell(cluster.node(standby)), {
        timeoutMs: 240_000,
        what: `the check on ${standby} to have ended well`,
      });
    }
    await untilInMinute(((round + 0.5) / rounds) * everyMs);
    const ms = await failOver(cluster, failover, { timeoutMs: 600_000, intervalMs: 100 });
    say(`crond, round ${round + 1}: promoted → followed ${Math.round(ms)} ms`);
    taken.push(ms);
    // As an operator would, whose work the minute check must not meet.
    await cronds.get(from)?.stop();
    await bringBack(cluster, failover);
    await attachAll(cluster, to);
    cronds.set(from, await startCrond(cluster.node(from)));
  }
  return { repointMs: { from: "measured", ...percentiles(latencyOf(taken)) }, ...computed };
}

async function untilInMinute(ms: number): Promise<void> {
  await sleep((ms - (Date.now() % everyMs) + everyMs) % everyMs);
}

async function attachAll(cluster: TestCluster, primary: string): Promise<void> {
  const { pools } = cluster;
  if (pools === null) throw new Error("a cluster with pools");
  const { address } = cluster.node(primary);
  await waitFor(
    async () => {
      const rows = await pools.show("srv127");
      const down = rows.filter(({ status }) => status === "down");
      for (const row of down) {
        await pools.pcp("srv127", "pcp_attach_node", ["-n", String(row["node_id"])]);
      }
      const leading = rows.filter(({ role }) => role === "primary");
      return down.length === 0 && leading.every(({ hostname }) => hostname === address);
    },
    { timeoutMs: 60_000, intervalMs: 1_000, what: `the pool to have all rows up below ${primary}` },
  );
}
