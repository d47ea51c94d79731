import { setTimeout as sleep } from "node:timers/promises";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { describeMachine, renderMachine, type Machine } from "../machine.ts";
import { round, spread, type Spread } from "../spread.ts";
import { processCost, type ProcessCost } from "./process-cost.ts";

export type IdleBenchOptions = { readonly seconds: number; readonly say: (line: string) => void };

type IdleCost = {
  readonly rssMb: Spread;
  /** Of one core; `withChildren` counts the programs that it ran, too. */
  readonly cpuPercent: number;
  readonly cpuPercentWithChildren: number;
  /** Most sessions of ours that the node's server had for longer than a look takes; null for a coordinator. */
  readonly databaseConnections: number | null;
  readonly limits: { readonly rssMb: number; readonly cpuPercent: number | null };
  readonly withinLimits: boolean;
};

export type IdleResult = {
  readonly ok: boolean;
  readonly machine: Machine;
  readonly seconds: number;
  /** On a standby with a database. */
  readonly agent: IdleCost;
  /** On the primary. */
  readonly primaryAgent: IdleCost;
  /** With three agents connected. */
  readonly coordinator: IdleCost;
};

const limits = {
  agent: { rssMb: 80, cpuPercent: 0.5 },
  coordinator: { rssMb: 120, cpuPercent: null },
} as const;
const nodes = ["srv127", "srv129", "srv159"];

export async function benchIdle({ seconds, say }: IdleBenchOptions): Promise<IdleResult> {
  const machine = await describeMachine();
  say(renderMachine(machine));
  await using lab = await createLab({
    hosts: [
      ...nodes.map((name) => ({ name, address: `192.168.4.${name.slice(3)}` })),
      { name: "coord", address: "192.168.4.10" },
    ],
  });
  await using cluster = await createCluster(lab, { product: "postgresql", version: 15, nodes });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  // What starting has cost must be over: what is asked is the cost of every further minute.
  await sleep(15_000);
  const watched = [
    { pid: castellan.agent("srv129").pid, node: "srv129" },
    { pid: castellan.agent("srv127").pid, node: "srv127" },
    { pid: castellan.coordinator().pid, node: null },
  ];
  const [agent, primaryAgent, coordinator] = await Promise.all(
    watched.map(({ pid, node }) => watch(pid, node, cluster, seconds)),
  );
  if (agent === undefined || primaryAgent === undefined || coordinator === undefined) {
    throw new Error("nothing was watched");
  }
  say(render("agent on a standby", agent));
  say(render("agent on the primary", primaryAgent));
  say(render("coordinator of 3 agents", coordinator));
  const ok = agent.withinLimits && primaryAgent.withinLimits && coordinator.withinLimits;
  return { ok, machine, seconds, agent, primaryAgent, coordinator };
}

async function watch(
  pid: number,
  node: string | null,
  cluster: TestCluster,
  seconds: number,
): Promise<IdleCost> {
  const samples: ProcessCost[] = [];
  const sessions: number[] = [];
  const startedAt = performance.now();
  for (let second = 0; second <= seconds; second += 1) {
    await sleep(Math.max(0, startedAt + second * 1000 - performance.now()));
    samples.push(await processCost(pid));
    if (node !== null) sessions.push(await sessionsOfOurs(cluster, node));
  }
  const elapsedMs = performance.now() - startedAt;
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined) throw new Error("no sample was taken");
  const own = last.ownMs - first.ownMs;
  const children = last.childrenMs - first.childrenMs;
  const rssMb = spread(samples.map(({ rssBytes }) => rssBytes / 1e6));
  const cpuPercentWithChildren = round(((own + children) / elapsedMs) * 100);
  const databaseConnections = node === null ? null : Math.max(...sessions);
  const most = node === null ? limits.coordinator : limits.agent;
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

/** Sessions on a node's server but for the one that asks. */
async function sessionsOfOurs(cluster: TestCluster, node: string): Promise<number> {
  const rows = await cluster.sql(
    node,
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend'
       AND client_addr IS DISTINCT FROM inet_client_addr() AND backend_start < now() - interval '5 s'`,
  );
  return Number(rows[0]?.["n"]);
}

function render(what: string, cost: IdleCost): string {
  const { rssMb, cpuPercent, cpuPercentWithChildren, databaseConnections } = cost;
  const sessions = databaseConnections === null ? "" : `, ${databaseConnections} database sessions`;
  const verdict = cost.withinLimits ? "within limits" : "OVER its limits";
  return `${what}: RSS ${rssMb.median.toFixed(1)} MB (at most ${rssMb.max.toFixed(1)}), CPU ${cpuPercent} % (${cpuPercentWithChildren} % with children)${sessions}: ${verdict}`;
}
