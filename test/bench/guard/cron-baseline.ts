import { createCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { installVendorCron, startCrond } from "#test/vendor-cron/install.ts";
import { latencyOf } from "../drift/tally.ts";
import { benchHosts } from "./bed.ts";
import { bringBack, failOver } from "./repoint.ts";
import { pause, percentiles, type Percentiles } from "./rounds.ts";

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

/** A real crond runs the re-implemented check on the standby that has to follow; the pool's view is real too. */
export async function runCronRepoints(
  rounds: number,
  say: (line: string) => void,
): Promise<CronBaseline> {
  await using lab = await createLab({ hosts: benchHosts });
  await using cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    nodes: ["srv127", "srv129", "srv159"],
    pool: true,
  });
  const node = cluster.node("srv159");
  await installVendorCron(cluster, "srv159");
  await startCrond(node.host);
  const taken: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await pause();
    await waitFor(
      async () =>
        (await node.host.exec(["cat", "/dev/shm/KB_RECOVERY_FLAG"], { reject: false })).stdout.startsWith("0"), // prettier-ignore
      { timeoutMs: 240_000, what: "a run of the check to have ended well" },
    );
    const [from, to] = round % 2 === 0 ? ["srv127", "srv129"] : ["srv129", "srv127"];
    const failover = { from, to, other: "srv159" } as const;
    const ms = await failOver(cluster, failover, 600_000);
    say(`crond, round ${round + 1}: promoted → followed ${Math.round(ms)} ms`);
    taken.push(ms);
    await bringBack(cluster, failover);
    for (const { id } of await downRows(cluster)) {
      await cluster.pools?.pcp("srv127", "pcp_attach_node", ["-n", id]);
    }
  }
  return { repointMs: { from: "measured", ...percentiles(latencyOf(taken)) }, ...computed };
}

async function downRows({
  pools,
}: Awaited<ReturnType<typeof createCluster>>): Promise<readonly { readonly id: string }[]> {
  const rows = (await pools?.show("srv127")) ?? [];
  return rows
    .filter(({ status }) => status === "down")
    .map((row) => ({ id: String(row["node_id"]) }));
}
