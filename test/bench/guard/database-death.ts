import { latencyOf } from "../drift/tally.ts";
import { resolved, strike, toldOf, type GuardBed, type Told } from "./bed.ts";
import { pause, percentiles, type Percentiles } from "./rounds.ts";

export type DatabaseDeath = Percentiles & {
  /** Each from the kill on. */
  readonly stages: Readonly<Record<"agent" | "coordinator" | "alert", Percentiles>>;
};

/** The postmaster of a standby gets SIGKILL. The guards observe: what is measured is how it is told. */
export async function runDatabaseDeaths(bed: GuardBed, rounds: number): Promise<DatabaseDeath> {
  const node = "srv159";
  const { host, paths } = bed.cluster.node(node);
  const taken: { readonly at: number; readonly told: Told }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    await pause();
    const at = await strike(host, 'kill -9 "$(head -1 "$1/postmaster.pid")"', [paths.dataDir]);
    taken.push({ at, told: await toldOf(bed, node, "database-dead", at) });
    await bed.cluster.start(node);
    await resolved(bed, node, "database-dead");
  }
  const stage = (key: keyof Told): Percentiles =>
    percentiles(latencyOf(taken.map(({ at, told }) => told[key] - at)));
  const alert = stage("alertAt");
  return {
    ...alert,
    stages: { agent: stage("agentAt"), coordinator: stage("coordinatorAt"), alert },
  };
}
