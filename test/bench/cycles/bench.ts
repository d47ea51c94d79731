import { setTimeout as sleep } from "node:timers/promises";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { createLab } from "#test/harness/lab.ts";
import { describeMachine, renderMachine, type Machine } from "../machine.ts";
import { renderSpread, spread, type Spread } from "../spread.ts";
import { writeThroughPool } from "#test/e2e/support/pool-writer.ts";
import { addAndRemove, tracesOn, type Traces } from "./add-and-remove.ts";
import { addAndAbort } from "./cycle.ts";
import { processSize, sizeOnDisk, type ProcessSize } from "./process-size.ts";
import { isFlat, slopeOf, type Slope } from "./slope.ts";

export type CyclesBenchOptions = {
  readonly cycles: number;
  /** Before the first one that counts: an agent keeps its newest commands, and has to have as many first. */
  readonly warmUp: number;
  readonly settleSeconds: number;
  /** Each addition goes to its end and is taken out again, while clients write; else it is aborted. */
  readonly remove?: boolean;
  readonly say: (line: string) => void;
};

type Series = { readonly spread: Spread; readonly slope: Slope };
type ProgramSeries = {
  readonly program: string;
  /** Objects and buffers that are still held after a collection: what a leak would make grow. */
  readonly heldMb: Series;
  readonly rssMb: Series;
  readonly pssMb: Series;
  readonly descriptors: Series;
  readonly isFlat: boolean;
};
export type CyclesResult = {
  readonly ok: boolean;
  readonly machine: Machine;
  readonly cycles: number;
  readonly abortedAt: readonly string[];
  readonly programs: readonly ProgramSeries[];
  /** The coordinator's journal with its WAL, and the state of the new node's agent. */
  readonly journalMb: Series;
  readonly agentStateMb: Series;
  /** On the nodes that stay, before the first cycle and after the last; of removals only. */
  readonly traces: readonly [before: Traces, after: Traces] | null;
};

/** A rise of less than this a cycle is not told from none. The record of one operation, if it were kept, makes 0.07. */
const leastMb = 0.005;
const agents = ["srv127", "srv129", "srv159"];

export async function benchCycles(options: CyclesBenchOptions): Promise<CyclesResult> {
  const { cycles, warmUp, settleSeconds, remove = false, say } = options;
  const machine = await describeMachine();
  say(renderMachine(machine));
  await using lab = await createLab({
    hosts: [
      ...agents.map((name) => ({ name, address: `192.168.4.${name.slice(3)}` })),
      { name: "coord", address: "192.168.4.10" },
    ],
  });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    pool: true,
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  await restartForBench(cluster, castellan);
  const writer = remove ? writeThroughPool(cluster) : null;
  let before: Traces | null = null;
  const looks: Look[] = [];
  const abortedAt: string[] = [];
  for (let turn = 0; turn < warmUp + cycles; turn += 1) {
    const step = remove
      ? await addAndRemove(cluster, castellan)
      : await addAndAbort(cluster, castellan, turn);
    // A running pool keeps the row of the first cycle, down, and takes it up again.
    if (remove) before ??= await tracesOn(cluster);
    // What the cycle itself needed must be over: what is asked is what it leaves.
    await sleep(settleSeconds * 1000);
    for (const program of [
      castellan.coordinator(),
      ...agents.map((name) => castellan.agent(name)),
    ]) {
      program.kill("SIGUSR2");
    }
    await sleep(1000);
    const look = await lookAt(castellan, cluster);
    say(renderLook(turn < warmUp ? "warm-up" : String(turn - warmUp + 1), step, look));
    if (turn < warmUp) continue;
    looks.push(look);
    abortedAt.push(step);
  }
  const programs = ["coordinator", ...agents].map((program) => programSeries(program, looks));
  for (const program of programs) say(renderProgram(program));
  const journalMb = seriesOf(looks.map((look) => look.journalMb));
  const agentStateMb = seriesOf(looks.map((look) => look.agentStateMb));
  say(`journal: ${renderSeries(journalMb, "MB", 3)}`);
  say(`state of srv159's agent: ${renderSeries(agentStateMb, "MB", 3)}`);
  await writer?.stop();
  const traces = before === null ? null : ([before, await tracesOn(cluster)] as const);
  if (traces !== null) say(`on the nodes that stay: ${traces.map((each) => JSON.stringify(each)).join(" → ")}`); // prettier-ignore
  const grew = traces !== null && JSON.stringify(traces[0]) !== JSON.stringify(traces[1]);
  const ok = !grew && programs.every((program) => program.isFlat);
  return { ok, machine, cycles, abortedAt, programs, journalMb, agentStateMb, traces };
}

/**
 * Programs that collect their garbage when they are told to: V8 leaves it for as long as there is room, and what is
 * asked is what is still held. V8 is kept from compiling what has run often enough, which goes on function by function
 * for hundreds of cycles, and from giving up the code that it has: both are counted with what is held, and would hide
 * a leak. Agents with 100 kept commands instead of 500: what is bounded has to reach its bound before it is looked at.
 */
async function restartForBench(cluster: TestCluster, castellan: Castellan): Promise<void> {
  const { coordinatorHost } = castellan;
  const env = { NODE_OPTIONS: `--require=${collector}` };
  for (const host of [coordinatorHost, ...agents.map((name) => cluster.node(name).host)]) {
    await host.writeFile(collector, collectorProgram, { mode: 0o644 });
    // Where each of them says what it holds.
    await host.exec(["chmod", "1777", "/run"]);
  }
  for (const name of agents) {
    const { host } = cluster.node(name);
    const config = "/etc/castellan/agent.yaml";
    await host.exec(["sed", "-i", "s/keptResults: .*/keptResults: 100/", config]);
    if (!(await host.readFile(config)).includes("keptResults: 100")) {
      throw new Error("agent.yaml has no keptResults");
    }
    castellan.agent(name).kill("SIGTERM");
    await castellan.agent(name).exited;
    await castellan.startAgent(name, env);
  }
  castellan.coordinator().kill("SIGTERM");
  await castellan.coordinator().exited;
  await castellan.startCoordinator(env);
  await castellan.connected(agents);
}

const collector = "/run/collect.cjs";
const collectorProgram = `
const { setFlagsFromString } = require("node:v8");
for (const flag of ["opt", "sparkplug", "flush-bytecode", "lazy-feedback-allocation"]) {
  setFlagsFromString("--no-" + flag);
}
setFlagsFromString("--expose-gc");
const collect = require("node:vm").runInNewContext("gc");
process.on("SIGUSR2", () => {
  collect();
  collect();
  const { heapUsed, external } = process.memoryUsage();
  require("node:fs").writeFileSync("/run/held-" + process.pid, String(heapUsed + external));
});
`;

type ProgramSize = ProcessSize & { readonly heldMb: number };
type Look = {
  readonly sizes: Readonly<Record<string, ProgramSize>>;
  readonly journalMb: number;
  readonly agentStateMb: number;
};

async function lookAt(castellan: Castellan, cluster: TestCluster): Promise<Look> {
  const { coordinatorHost, stateDirectory } = castellan;
  const journal = coordinatorHost.path(`${stateDirectory}/journal.db`);
  const programs = [
    { name: "coordinator", host: coordinatorHost, process: castellan.coordinator() },
    ...agents.map((name) => ({
      name,
      host: cluster.node(name).host,
      process: castellan.agent(name),
    })),
  ];
  const sizes = await Promise.all(
    programs.map(async ({ name, host, process }) => {
      const held = await host.readFile(`/run/held-${process.insidePid}`);
      const size = { ...(await processSize(process.pid)), heldMb: Number(held) / 1e6 };
      return [name, size] as const;
    }),
  );
  const agentState = cluster.node("srv159").host.path("/var/lib/castellan-agent");
  return {
    sizes: Object.fromEntries(sizes),
    journalMb: await sizeOnDisk([journal, `${journal}-wal`]),
    agentStateMb: await sizeOnDisk([agentState]),
  };
}

function seriesOf(values: readonly number[]): Series {
  return { spread: spread(values), slope: slopeOf(values) };
}

function programSeries(program: string, looks: readonly Look[]): ProgramSeries {
  const of = (key: keyof ProgramSize): Series =>
    seriesOf(looks.map(({ sizes }) => sizes[program]?.[key] ?? Number.NaN));
  const [heldMb, rssMb, pssMb] = [of("heldMb"), of("rssMb"), of("pssMb")];
  const descriptors = of("descriptors");
  const risesNot = ({ slope }: Series): boolean => slope.low <= 0 || slope.high < leastMb;
  return {
    program,
    heldMb,
    rssMb,
    pssMb,
    descriptors,
    // RSS and PSS are told, too: they follow what V8 keeps in reserve, and how many programs share its pages.
    isFlat: risesNot(heldMb) && isFlat(descriptors.slope),
  };
}

function renderLook(turn: string, step: string, { sizes, journalMb }: Look): string {
  const each = Object.entries(sizes).map(
    ([name, { heldMb, rssMb, descriptors }]) =>
      `${name} ${heldMb.toFixed(3)} of ${rssMb.toFixed(1)} MB ${descriptors} fds`,
  );
  return `${turn}: ${step === "removed" ? step : `aborted at ${step}`}; ${each.join(", ")}; journal ${journalMb.toFixed(2)} MB`;
}

function renderProgram({
  program,
  heldMb,
  rssMb,
  pssMb,
  descriptors,
  isFlat: flat,
}: ProgramSeries): string {
  return [
    `${program}: held ${renderSeries(heldMb, "MB", 3)}`,
    `RSS ${renderSeries(rssMb, "MB", 1)}`,
    `PSS ${renderSeries(pssMb, "MB", 1)}`,
    `descriptors ${renderSeries(descriptors, "", 0)}: ${flat ? "no slope" : "RISES"}`,
  ].join("; ");
}

function renderSeries({ spread: all, slope }: Series, unit: string, digits: number): string {
  const { each, low, high } = slope;
  return `${renderSpread(all, unit, digits)}, ${each} (${low} to ${high}) a cycle`;
}
