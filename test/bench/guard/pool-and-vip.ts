import { waitFor } from "#test/harness/wait-for.ts";
import { queryOnce } from "#test/harness/sql-client.ts";
import { latencyOf } from "../drift/tally.ts";
import { alertedAt, resolved, strike, type GuardBed } from "./bed.ts";
import { pause, percentiles, type Percentiles } from "./rounds.ts";

export type PoolDeath = Percentiles & {
  /** Until its guard has started another one; what follows is the pool's own start, above all its watchdog's. */
  readonly stages: Readonly<Record<"started", Percentiles>>;
};

/** The pool's parent gets SIGKILL: until another one answers a statement on that host. */
export async function runPoolDeaths(bed: GuardBed, rounds: number): Promise<PoolDeath> {
  const { pools, lab } = bed.cluster;
  const found = pools?.nodes.find(({ name }) => name === "srv127");
  if (pools === null || found === undefined) throw new Error("a cluster with pools");
  const { host, pool, address } = found;
  const pid = async (): Promise<string> =>
    (await host.readFile(pool.pidFile).catch(() => "")).replaceAll("\0", "").trim();
  const started: number[] = [];
  const taken: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await pause();
    const killed = await pid();
    const at = await strike(host, 'kill -9 "$1"', [killed]);
    await waitFor(async () => /^\d+$/.test(await pid()) && (await pid()) !== killed, {
      timeoutMs: 60_000,
      intervalMs: 10,
      what: "another pool",
    });
    started.push(Date.now() - at);
    // What is left of the killed one could answer before.
    await waitFor(() => queryOnce(lab, pools.login("app", address), "SELECT 1").catch(() => null), {
      timeoutMs: 60_000,
      intervalMs: 10,
      what: "the pool to answer",
    });
    taken.push(Date.now() - at);
    await resolved(bed, "srv127", "pool-dead");
  }
  return { ...percentiles(latencyOf(taken)), stages: { started: percentiles(latencyOf(started)) } };
}

/** The database's address appears on a standby, as a copied HAmodule.conf brings it there: until the alert. */
export async function runStolenAddresses(bed: GuardBed, rounds: number): Promise<Percentiles> {
  const { host } = bed.cluster.node("srv129");
  const address = "192.168.4.220/24";
  const taken: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await pause();
    const at = await strike(host, 'ip addr add "$1" dev eth0', [address]);
    const alertAt = await alertedAt(bed, "srv129", "vip-on-non-primary", at);
    taken.push(alertAt - at);
    await resolved(bed, "srv129", "vip-on-non-primary");
  }
  return percentiles(latencyOf(taken));
}
