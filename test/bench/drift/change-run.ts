import { setTimeout as sleep } from "node:timers/promises";
import { round } from "../spread.ts";
import { processCost } from "../idle/process-cost.ts";
import { nodes, type DriftBed } from "./bed.ts";
import { changeKinds, type ChangedFile } from "./changed-file.ts";
import { latencyOf, tallyDeliveries, type DeliveryTally, type Latency } from "./tally.ts";

export type ChangeRun = DeliveryTally & {
  readonly changes: number;
  /** From before the write until the webhook had the right diff. */
  readonly latency: Latency;
  readonly byKind: Readonly<Record<string, Latency>>;
  /** Not told rightly within ten seconds. */
  readonly missed: number;
  /** What a change costs, with whatever else the processes did meanwhile; children included. */
  readonly agentCpuMs: number;
  readonly coordinatorCpuMs: number;
};

const missedAfterMs = 10_000;
/** Up to this, so that changes meet the agent in every phase of its looks. */
const mostPauseMs = 250;

/** One change at a time on each host, over its files and kinds in turn. */
export async function runChanges(
  { castellan, receiver, files }: DriftBed,
  changes: number,
  say: (line: string) => void,
): Promise<ChangeRun> {
  const from = receiver.deliveries.length;
  const taken: { readonly kind: string; readonly ms: number }[] = [];
  let begun = 0;
  let missed = 0;

  const changeOne = async (file: ChangedFile, turn: number): Promise<void> => {
    const kind = changeKinds[turn % changeKinds.length] ?? "rename-over";
    const before = receiver.deliveries.length;
    const beganAt = file.change(kind);
    const right = await receiver.first(before, file.told(), missedAfterMs);
    if (right !== null) {
      taken.push({ kind, ms: right.atMs - beganAt });
      return;
    }
    missed += 1;
    const came = receiver.deliveries.slice(before).filter(({ cause }) => cause === file.cause);
    say(`missed: ${kind} of ${file.path} on ${file.node}; came: ${JSON.stringify(came)}`);
  };
  const changeHost = async (own: readonly ChangedFile[]): Promise<void> => {
    for (let turn = 0; begun < changes; turn += 1) {
      begun += 1;
      if (begun % 100 === 0) say(`${begun} of ${changes} changes`);
      const file = own[turn % own.length];
      // Each round begins with another kind, so that every file sees all of them.
      if (file !== undefined) await changeOne(file, turn + Math.floor(turn / own.length));
      await sleep(Math.random() * mostPauseMs);
    }
  };

  const agents = nodes.map((node) => castellan.agent(node).pid);
  const coordinator = castellan.coordinator().pid;
  const before = { agents: await cpuMs(agents), coordinator: await cpuMs([coordinator]) };
  await Promise.all(nodes.map((node) => changeHost(files.filter((file) => file.node === node))));
  // Whatever comes late and says nothing new has to come in this time to be counted.
  await sleep(2000);
  return {
    changes,
    latency: latencyOf(taken.map(({ ms }) => ms)),
    byKind: Object.fromEntries(
      changeKinds.map((kind) => [
        kind,
        latencyOf(taken.filter((one) => one.kind === kind).map(({ ms }) => ms)),
      ]),
    ),
    missed,
    ...tallyDeliveries(receiver.deliveries.slice(from)),
    agentCpuMs: round(((await cpuMs(agents)) - before.agents) / changes, 1),
    coordinatorCpuMs: round(((await cpuMs([coordinator])) - before.coordinator) / changes, 1),
  };
}

async function cpuMs(pids: readonly number[]): Promise<number> {
  const costs = await Promise.all(pids.map(processCost));
  return costs.reduce((sum, { ownMs, childrenMs }) => sum + ownMs + childrenMs, 0);
}
