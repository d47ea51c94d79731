import type { OperationRecord } from "#coordinator/store/store.ts";
import type { VerifyLevel } from "#shared/domain/commands.ts";
import type { Bed } from "./bed.ts";
import { streamingAt } from "./streaming.ts";

export type CastellanRound = {
  /** From the start of the command until the primary shows the node streaming. */
  readonly streamingSeconds: number;
  /** Until the command has ended: every step done and proved. */
  readonly operationSeconds: number;
  readonly steps: readonly StepTime[];
};
type StepTime = { readonly id: string; readonly seconds: number };

/** The command as an operator types it. */
export async function addByCastellan(bed: Bed, verify: VerifyLevel): Promise<CastellanRound> {
  const { cluster, castellan, newNode } = bed;
  const stop = new AbortController();
  const startedAt = performance.now();
  const streaming = streamingAt(bed, stop.signal);
  streaming.catch(() => undefined);
  const what = `node add ${cluster.name} ${newNode.name} --address ${newNode.address}`;
  const command = await castellan.spawnCli(`${what} --verify ${verify} --yes`.split(" "));
  let said = "";
  for (const stream of [command.stdout, command.stderr]) {
    stream?.on("data", (chunk: Buffer) => (said += chunk.toString()));
  }
  const exitCode = await command.exited;
  const endedAt = performance.now();
  try {
    if (exitCode !== 0) throw new Error(`castellan node add ended with ${exitCode}:\n${said}`);
    return {
      streamingSeconds: ((await streaming) - startedAt) / 1000,
      operationSeconds: (endedAt - startedAt) / 1000,
      steps: await stepTimes(bed, startedAt),
    };
  } finally {
    stop.abort();
  }
}

/** What came before the first step (checks, forecast, plan) is a row of its own. */
async function stepTimes({ castellan }: Bed, startedAt: number): Promise<StepTime[]> {
  const { plan, steps } = await castellan.json<OperationRecord>(["operation", "show"]);
  const wallClock = performance.timeOrigin + startedAt;
  return [
    { id: "before the first step", seconds: ((steps[0]?.startedAt ?? 0) - wallClock) / 1000 },
    ...plan.steps.map(({ id }, index) => {
      const { startedAt: from = null, endedAt: to = null } = steps[index] ?? {};
      return { id, seconds: from === null || to === null ? Number.NaN : (to - from) / 1000 };
    }),
  ];
}
