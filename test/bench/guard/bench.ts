import { enforce } from "#test/e2e/support/guard.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { latencyOf } from "../drift/tally.ts";
import { describeMachine, renderMachine, type Machine } from "../machine.ts";
import { withGuardBed, type GuardBed } from "./bed.ts";
import { runCronRepoints, type CronBaseline } from "./cron-baseline.ts";
import { runDatabaseDeaths, type DatabaseDeath } from "./database-death.ts";
import { runPoolDeaths, runStolenAddresses, type PoolDeath } from "./pool-and-vip.ts";
import { bringBack, failOver } from "./repoint.ts";
import { pause, percentiles, type Percentiles } from "./rounds.ts";

export const guardRows = ["database", "repoint", "repoint-pg10", "pool", "vip", "cron"] as const;
export type GuardRow = (typeof guardRows)[number];

export type GuardBenchOptions = {
  readonly rounds: number;
  readonly cronRounds: number;
  readonly only: readonly GuardRow[];
  readonly say: (line: string) => void;
};

type OurRows = {
  readonly databaseDeathMs: DatabaseDeath | null;
  readonly poolDeathMs: PoolDeath | null;
  /** PostgreSQL 15. */
  readonly repointMs: Percentiles | null;
  readonly vipMs: Percentiles | null;
  readonly repointPg10Ms: Percentiles | null;
};

export type GuardResult = OurRows & {
  readonly cron: CronBaseline | null;
  readonly targetP99Ms: typeof targetP99Ms;
  readonly ok: boolean;
  readonly machine: Machine;
};

const targetP99Ms = { repointMs: 3_000, repointPg10Ms: 10_000 } as const;
const three = ["srv127", "srv129", "srv159"];
const postgresql: LaneOptions = { product: "postgresql", version: 15 };
const kingbase: LaneOptions = { product: "kingbase-v8r3" };

/** The rows that are not asked for are null. */
export async function benchGuard(options: GuardBenchOptions): Promise<GuardResult> {
  const { cronRounds, only, say } = options;
  const machine = await describeMachine();
  say(renderMachine(machine));
  const wants = (row: GuardRow): boolean => only.length === 0 || only.includes(row);
  // The baseline sleeps nearly all of its time: the other rows are measured beside it.
  const [rows, cron] = await Promise.all([
    ourRows(options, wants),
    wants("cron") ? runCronRepoints(cronRounds, say) : null,
  ]);
  const within = (row: Percentiles | null, limit: number): boolean =>
    row === null || (row.p99 !== null && row.p99 <= limit);
  const ok =
    within(rows.repointMs, targetP99Ms.repointMs) &&
    within(rows.repointPg10Ms, targetP99Ms.repointPg10Ms);
  const { repointPg10Ms, ...others } = rows;
  return { ...others, cron, repointPg10Ms, targetP99Ms, ok, machine };
}

async function ourRows(
  { rounds, say }: GuardBenchOptions,
  wants: (row: GuardRow) => boolean,
): Promise<OurRows> {
  const told = <T extends Percentiles>(what: string, row: T): T => {
    say(`${what}: p50 ${row.p50} ms, p99 ${row.p99} ms, most ${row.max} ms of ${row.rounds}`);
    return row;
  };
  let databaseDeathMs: DatabaseDeath | null = null;
  let repointMs: Percentiles | null = null;
  if (wants("database") || wants("repoint")) {
    await withGuardBed({ ...postgresql, nodes: three }, async (bed) => {
      if (wants("database")) {
        databaseDeathMs = told("postmaster killed → alert", await runDatabaseDeaths(bed, rounds));
      }
      if (wants("repoint")) {
        repointMs = told("promoted → followed, PostgreSQL 15", await runRepoints(bed, rounds));
      }
    });
  }
  const repointPg10Ms = wants("repoint-pg10")
    ? await withGuardBed({ ...kingbase, nodes: three }, async (bed) =>
        told("promoted → followed, PostgreSQL 10", await runRepoints(bed, rounds)),
      )
    : null;
  let poolDeathMs: PoolDeath | null = null;
  let vipMs: Percentiles | null = null;
  if (wants("pool") || wants("vip")) {
    await withGuardBed({ ...kingbase, nodes: three.slice(0, 2), pool: true }, async (bed) => {
      await enforce(bed.castellan, bed.cluster.nodes);
      if (wants("vip")) vipMs = told("address stolen → alert", await runStolenAddresses(bed, rounds)); // prettier-ignore
      if (wants("pool")) poolDeathMs = told("pool killed → running", await runPoolDeaths(bed, rounds)); // prettier-ignore
    });
  }
  return { databaseDeathMs, poolDeathMs, repointMs, vipMs, repointPg10Ms };
}

/** srv127 and srv129 take turns as primary; srv159 is led each time by its guard. */
async function runRepoints(bed: GuardBed, rounds: number): Promise<Percentiles> {
  await enforce(bed.castellan, bed.cluster.nodes);
  const taken: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await pause();
    const [from, to] = round % 2 === 0 ? ["srv127", "srv129"] : ["srv129", "srv127"];
    const failover = { from, to, other: "srv159" } as const;
    taken.push(await failOver(bed.cluster, failover, { timeoutMs: 120_000, intervalMs: 10 }));
    // Its guard would start what is only half a copy.
    await bed.castellan.killAgent(from);
    await bringBack(bed.cluster, failover);
    await bed.castellan.startAgent(from);
    await bed.castellan.connected([from]);
  }
  return percentiles(latencyOf(taken));
}
