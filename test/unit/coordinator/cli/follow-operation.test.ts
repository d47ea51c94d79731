import { expect, test } from "vitest";
import { Failure } from "#shared/errors.ts";
import type { ApiClient } from "#coordinator/cli/client.ts";
import type { CliContext } from "#coordinator/cli/context.ts";
import { followOperation } from "#coordinator/cli/follow-operation.ts";

const unreachable = (): Failure => new Failure("COORDINATOR_UNREACHABLE", "nobody answers");

/** Each turn is one connection: what it says before it ends, or before it breaks. */
type Turn = { readonly says: readonly unknown[]; readonly breaks: boolean };

function contextOf(turns: readonly Turn[], secondsPerLook: number) {
  const said: string[] = [];
  const interrupt = new AbortController();
  let seconds = 0;
  let turn = 0;
  const client: ApiClient = {
    get: () => Promise.reject(unreachable()),
    post: () => Promise.reject(unreachable()),
    download: () => Promise.reject(unreachable()),
    async *watch<T>() {
      const { says, breaks } = turns[turn] ?? { says: [], breaks: true };
      turn += 1;
      for (const update of says) yield update as T; // the test's own values
      if (breaks) throw unreachable();
    },
  };
  const context: CliContext = {
    client: () => client,
    terminal: {
      isInteractive: false,
      print: () => undefined,
      printError: (lines) => said.push(...lines),
      draw: () => undefined,
      drawDone: () => undefined,
    },
    requestedBy: "dba@console",
    stateDirectory: () => "/nowhere",
    now: () => 0,
    elapsedMs: () => (seconds += secondsPerLook) * 1_000,
    interrupted: interrupt.signal,
    setExitCode: () => undefined,
    ask: () => Promise.resolve(null),
  };
  return { context, said, interrupt };
}

async function follow({ context }: { readonly context: CliContext }): Promise<unknown[]> {
  const seen: unknown[] = [];
  for await (const update of followOperation(context, "op-abc")) seen.push(update);
  return seen;
}

test("a restart of the coordinator is waited for, said once, and looked on over", async () => {
  const turns = [
    { says: [1], breaks: true },
    { says: [], breaks: true },
    { says: [2, 3], breaks: false },
  ];
  const world = contextOf(turns, 0);
  expect(await follow(world)).toEqual([1, 2, 3]);
  expect(world.said).toHaveLength(1);
});

test("a coordinator that stays away ends it with the line to attach again", async () => {
  const world = contextOf([{ says: [1], breaks: true }], 20);
  await expect(follow(world)).rejects.toMatchObject({
    code: "COORDINATOR_UNREACHABLE",
    hint: expect.stringContaining("castellan operation watch op-abc"),
  });
});

test("a coordinator that never answered is not waited for", async () => {
  const world = contextOf([], 0);
  await expect(follow(world)).rejects.toMatchObject({ message: "nobody answers" });
  expect(world.said).toEqual([]);
});

test("Ctrl-C ends the wait for the coordinator without a failure", async () => {
  const world = contextOf([{ says: [1], breaks: true }], 0);
  const seen = follow(world);
  setTimeout(() => world.interrupt.abort(), 20);
  expect(await seen).toEqual([1]);
});
