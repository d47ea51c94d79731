import { readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { processCost } from "../idle/process-cost.ts";
import { round, spread, type Spread } from "../spread.ts";
import { driftHosts, nodes } from "./bed.ts";

export type WatchingCost = {
  /** To be watched. */
  readonly files: number;
  /** Of these, what the agent watches. */
  readonly watched: number;
  readonly rssMb: Spread;
  /** Of one core, programs that it ran included. */
  readonly cpuPercent: number;
};
export type AgentCost = { readonly ordinary: WatchingCost; readonly many: WatchingCost };

const [, ordinaryNode = "", manyNode = ""] = nodes;
const filesInAll = 200;
const settleMs = 15_000;

/** Two idle standbys side by side: one with what every server has, one whose configuration includes many files. */
export async function measureAgentCost(seconds: number): Promise<AgentCost> {
  await using lab = await createLab({ hosts: driftHosts });
  await using cluster = await createCluster(lab, { product: "postgresql", version: 15, nodes });
  await includeFiles(cluster, filesInAll - ordinaryFiles);
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  // What starting has cost must be over.
  await sleep(settleMs);
  const watch = async (node: string, files: number): Promise<WatchingCost> => ({
    files,
    watched: watchedOn(cluster, node),
    ...(await costOf(castellan.agent(node).pid, seconds)),
  });
  const [few, many] = await Promise.all([
    watch(ordinaryNode, ordinaryFiles),
    watch(manyNode, filesInAll),
  ]);
  return { ordinary: few, many };
}

/** The server's configuration and auto.conf, hba, ident, standby.signal and .pgpass. */
const ordinaryFiles = 6;

async function includeFiles(cluster: TestCluster, count: number): Promise<void> {
  const { host, paths } = cluster.node(manyNode);
  const owner = cluster.lane.osUser;
  const folder = `${paths.dataDir}/conf.d`;
  await host.makeDirectory(folder, { owner, mode: 0o700 });
  for (let number = 1; number <= count; number += 1) {
    const text = `# part ${number}\n${"# a line of notes, as people keep them\n".repeat(20)}application_name = 'part${number}'\n`;
    const name = `${String(number).padStart(3, "0")}.conf`;
    await host.writeFile(`${folder}/${name}`, text, { owner, mode: 0o600 });
  }
  const conf = await host.readFile(paths.configFile);
  await host.writeFile(paths.configFile, `${conf}include_dir = 'conf.d'\n`);
}

/** The agent keeps a record for each file that it watches. */
function watchedOn(cluster: TestCluster, node: string): number {
  const records = cluster.node(node).host.path("/var/lib/castellan-agent/watch");
  return readdirSync(records).filter((name) => name.endsWith(".json")).length;
}

async function costOf(
  pid: number,
  seconds: number,
): Promise<Pick<WatchingCost, "rssMb" | "cpuPercent">> {
  const startedAt = performance.now();
  const first = await processCost(pid);
  const samples = [first];
  for (let second = 1; second <= seconds; second += 1) {
    await sleep(Math.max(0, startedAt + second * 1000 - performance.now()));
    samples.push(await processCost(pid));
  }
  const last = samples.at(-1) ?? first;
  const usedMs = last.ownMs + last.childrenMs - first.ownMs - first.childrenMs;
  return {
    rssMb: spread(samples.map(({ rssBytes }) => rssBytes / 1e6)),
    cpuPercent: round((usedMs / (performance.now() - startedAt)) * 100),
  };
}
