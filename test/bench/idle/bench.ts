import { setTimeout as sleep } from "node:timers/promises";
import { enforce } from "#test/e2e/support/guard.ts";
import { addArguments } from "#test/e2e/support/operations.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { describeMachine, renderMachine, type Machine } from "../machine.ts";
import { round, spread, type Spread } from "../spread.ts";
import { databaseSockets } from "./database-sockets.ts";
import { processCost, type ProcessCost } from "./process-cost.ts";

export type IdleBenchOptions = { readonly seconds: number; readonly say: (line: string) => void };

type IdleCost = {
  readonly rssMb: Spread;
  /** Of one core; `withChildren` counts the programs that it ran, too. */
  readonly cpuPercent: number;
  readonly cpuPercentWithChildren: number;
  /** Most sessions that it had with its server for longer than a look takes; null for a coordinator. */
  readonly databaseConnections: number | null;
  readonly limits: { readonly rssMb: number; readonly cpuPercent: number | null };
  readonly withinLimits: boolean;
};

export type IdleResult = {
  readonly ok: boolean;
  readonly machine: Machine;
  readonly seconds: number;
  /** On a standby. */
  readonly agent: IdleCost;
  /** On a standby with a pool. */
  readonly poolAgent: IdleCost;
  /** On the primary, with a pool. */
  readonly primaryAgent: IdleCost;
  /** With three agents connected. */
  readonly coordinator: IdleCost;
};

const limits = {
  agent: { rssMb: 80, cpuPercent: 0.5 },
  coordinator: { rssMb: 120, cpuPercent: null },
} as const;
const nodes = ["srv127", "srv129", "srv159"];
/** What lasts longer is no look's session. */
const lookSeconds = 5;

export async function benchIdle({ seconds, say }: IdleBenchOptions): Promise<IdleResult> {
  const machine = await describeMachine();
  say(renderMachine(machine));
  await using lab = await createLab({
    hosts: [
      ...nodes.map((name) => ({ name, address: `192.168.4.${name.slice(3)}` })),
      { name: "coord", address: "192.168.4.10" },
    ],
  });
  await using cluster = await createCluster(lab, {
    product: "kingbase-v8r3",
    nodes: nodes.slice(0, 2),
    newNode: "srv159",
    pool: true,
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  await castellan.cli([...addArguments(cluster), "--accept-not-promotable"], {
    timeoutMs: 300_000,
  });
  await enforce(
    castellan,
    nodes.map((name) => cluster.node(name)),
  );
  // What starting has cost must be over: what is asked is the cost of every further minute.
  await sleep(15_000);
  const watchAgent = (node: string): Promise<IdleCost> =>
    watch(castellan.agent(node).pid, cluster.port, seconds);
  const [agent, poolAgent, primaryAgent, coordinator] = await Promise.all([
    watchAgent("srv159"),
    watchAgent("srv129"),
    watchAgent("srv127"),
    watch(castellan.coordinator().pid, null, seconds),
  ]);
  say(render("agent on a standby", agent));
  say(render("agent on a standby with a pool", poolAgent));
  say(render("agent on the primary with a pool", primaryAgent));
  say(render("coordinator of 3 agents", coordinator));
  const ok = [agent, poolAgent, primaryAgent, coordinator].every((one) => one.withinLimits);
  return { ok, machine, seconds, agent, poolAgent, primaryAgent, coordinator };
}

async function watch(pid: number, databasePort: number | null, seconds: number): Promise<IdleCost> {
  const samples: ProcessCost[] = [];
  const sockets: ReadonlySet<string>[] = [];
  const startedAt = performance.now();
  for (let second = 0; second <= seconds; second += 1) {
    await sleep(Math.max(0, startedAt + second * 1000 - performance.now()));
    samples.push(await processCost(pid));
    if (databasePort !== null) sockets.push(await databaseSockets(pid, databasePort));
  }
  const elapsedMs = performance.now() - startedAt;
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) throw new Error("no sample was taken");
  const own = last.ownMs - first.ownMs;
  const children = last.childrenMs - first.childrenMs;
  const rssMb = spread(samples.map(({ rssBytes }) => rssBytes / 1e6));
  const cpuPercentWithChildren = round(((own + children) / elapsedMs) * 100);
  const lasting = sockets
    .slice(lookSeconds)
    .map((now, second) => [...now].filter((inode) => sockets[second]?.has(inode)).length);
  const databaseConnections = databasePort === null ? null : Math.max(...lasting);
  const most = databasePort === null ? limits.coordinator : limits.agent;
  return {
    rssMb,
    cpuPercent: round((own / elapsedMs) * 100),
    cpuPercentWithChildren,
    databaseConnections,
    limits: most,
    withinLimits:
      rssMb.max <= most.rssMb &&
      (most.cpuPercent === null || cpuPercentWithChildren <= most.cpuPercent) &&
      (databaseConnections === null || databaseConnections <= 1),
  };
}

function render(what: string, cost: IdleCost): string {
  const { rssMb, cpuPercent, cpuPercentWithChildren, databaseConnections } = cost;
  const sessions = databaseConnections === null ? "" : `, ${databaseConnections} database sessions`;
  const verdict = cost.withinLimits ? "within limits" : "OVER its limits";
  return `${what}: RSS ${rssMb.median.toFixed(1)} MB (at most ${rssMb.max.toFixed(1)}), CPU ${cpuPercent} % (${cpuPercentWithChildren} % with children)${sessions}: ${verdict}`;
}
