import { describeMachine, renderMachine, type Machine } from "../machine.ts";
import { renderSpread } from "../spread.ts";
import { measureAgentCost, type AgentCost, type WatchingCost } from "./agent-cost.ts";
import { withDriftBed } from "./bed.ts";
import { runBursts, type BurstRun } from "./bursts.ts";
import { runChanges, type ChangeRun } from "./change-run.ts";
import { runOutage, type OutageRun } from "./outage.ts";
import type { Latency } from "./tally.ts";

export type DriftBenchOptions = {
  readonly changes: number;
  readonly downSeconds: number;
  readonly say: (line: string) => void;
};

export type DriftResult = {
  /** Of the changes one by one. */
  readonly changes: number;
  readonly p50Ms: number | null;
  readonly p99Ms: number | null;
  /** Of everything: changes, bursts and the outage. */
  readonly missed: number;
  readonly duplicates: number;
  readonly ok: boolean;
  readonly targetP99Ms: number;
  readonly oneByOne: ChangeRun;
  readonly bursts: BurstRun;
  readonly outage: OutageRun;
  readonly agentCost: AgentCost;
  readonly machine: Machine;
};

const targetP99Ms = 300;
const costSeconds = 60;

export async function benchDrift(options: DriftBenchOptions): Promise<DriftResult> {
  const { changes, downSeconds, say } = options;
  const machine = await describeMachine();
  say(renderMachine(machine));
  const { oneByOne, bursts, outage } = await withDriftBed(async (bed) => {
    const first = await runChanges(bed, changes, say);
    say(renderChanges(first));
    const second = await runBursts(bed);
    say(renderBursts(second));
    const third = await runOutage(bed, downSeconds);
    say(renderOutage(third));
    return { oneByOne: first, bursts: second, outage: third };
  });
  const agentCost = await measureAgentCost(costSeconds);
  say(renderCost("an agent with the ordinary files", agentCost.ordinary));
  say(renderCost("an agent with many included files", agentCost.many));
  const { p50Ms, p99Ms } = oneByOne.latency;
  const runs = [oneByOne, bursts, outage];
  const missed = runs.reduce((sum, run) => sum + run.missed, 0);
  const duplicates = runs.reduce((sum, run) => sum + run.duplicates, 0);
  const ok = missed === 0 && duplicates === 0 && p99Ms !== null && p99Ms <= targetP99Ms;
  return { changes, p50Ms, p99Ms, missed, duplicates, ok, targetP99Ms, oneByOne, bursts, outage, agentCost, machine }; // prettier-ignore
}

function renderLatency({ count, p50Ms, p99Ms, maxMs }: Latency): string {
  return `${count} told, p50 ${p50Ms} ms, p99 ${p99Ms} ms, most ${maxMs} ms`;
}

function renderChanges(run: ChangeRun): string {
  const kinds = Object.entries(run.byKind).map(
    ([kind, latency]) => `\n  ${kind}: ${renderLatency(latency)}`,
  );
  return `${run.changes} changes: ${renderLatency(run.latency)}; missed ${run.missed}, duplicates ${run.duplicates}, ${run.deliveries} deliveries; a change costs the agents ${run.agentCpuMs} ms of processor time, the coordinator ${run.coordinatorCpuMs} ms${kinds.join("")}`;
}

function renderBursts(run: BurstRun): string {
  return `${run.bursts} bursts of ${run.writesEach} writes in ${renderSpread(run.tookMs, "ms", 0)}: ${renderLatency(run.latency)} after the last write; ${renderSpread(run.deliveriesEach, "deliveries", 0)} each; missed ${run.missed}, duplicates ${run.duplicates}`;
}

function renderOutage(run: OutageRun): string {
  return `coordinator down for ${run.downSeconds} s, ${run.files} files changed ${run.changesEach} times each: ${renderLatency(run.toldAfterStart)} after its start; ${run.deliveries} deliveries, missed ${run.missed}, duplicates ${run.duplicates}`;
}

function renderCost(what: string, cost: WatchingCost): string {
  return `${what} (${cost.watched} watched of ${cost.files}): RSS ${renderSpread(cost.rssMb, "MB", 1)}, CPU ${cost.cpuPercent} %`;
}
