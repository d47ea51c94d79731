import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { runAgentCommand, type CommandPort } from "#coordinator/operations/agent-command.ts";
import { systemClock } from "#shared/time.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const request = {
  id: "op-abcdefgh/0/run/1",
  operationId: "op-abcdefgh",
  stepId: "create-slot/srv127",
  kind: "create-slot",
  phase: "run",
  args: {},
  preconditions: { systemIdentifier: null, role: null, timeline: null },
} as const;

test("an agent that is away while the coordinator's clock is set is waited for as long as the limit says", async () => {
  let giveUp: (reason: Error) => void = () => undefined;
  const commands: CommandPort = {
    view: () => null,
    dispatch: () => ({
      ended: new Promise((_, reject) => {
        giveUp = reject;
      }),
      cancel: () => undefined,
      abandon: (reason) => giveUp(reason),
    }),
  };
  const never = new AbortController().signal;
  let outcome: string | null = null;
  const ended = runAgentCommand("srv127", request, {
    commands,
    clock: systemClock,
    agentWaitMs: 60_000,
    cancel: never,
    stop: never,
    onProgress: () => undefined,
  }).then((end) => {
    outcome = end.outcome;
  });
  await vi.advanceTimersByTimeAsync(5_000);
  vi.setSystemTime(Date.now() + 86_400_000);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(outcome).toBe(null);
  vi.setSystemTime(Date.now() - 86_400_000);
  await vi.advanceTimersByTimeAsync(55_000);
  await ended;
  expect(outcome).toBe("unseen");
});
