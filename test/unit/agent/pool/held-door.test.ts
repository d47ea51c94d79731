import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { Failure } from "#shared/errors.ts";
import { createLog } from "#shared/log.ts";
import { Secret } from "#shared/secret.ts";
import { systemClock } from "#shared/time.ts";
import { heldDoor, poolControl, shutDoor } from "#agent/steps/pool-door.ts";
import type { ProgramResult, RootHelperSession, StepContext } from "#agent/ports.ts";

afterEach(() => vi.useRealTimers());

/** A helper that shuts the door and is killed before anybody opens it. */
function dyingHelper(ended: string[]): RootHelperSession {
  const answers = new Map([
    ["ready", "ready"],
    ["shut 500", "shut 9999"],
  ]);
  return {
    ask: async (line) => {
      const answer = answers.get(line);
      if (answer !== undefined) return answer;
      throw new Failure("PROGRAM_FAILED", "castellan-root door ended with a signal");
    },
    [Symbol.asyncDispose]: async () => void ended.push("ended"),
  };
}

function program(stdout: string): ProgramResult {
  return { exitCode: 1, signal: null, stdout, stderr: [], durationMs: 1, timedOut: false };
}

/** No more of an agent than shutting the door asks for. */
function contextWith(helper: RootHelperSession, pcpSays: string): StepContext {
  const context = {
    operationId: "op-abcdefgh",
    clock: systemClock,
    log: createLog("test", "silent"),
    settings: {
      node: "srv127",
      pool: { binDirectory: "/x", pcpUser: "u", pcpHost: "h", pcpPort: 1, configFile: "/x" },
    },
    files: { read: async () => ({ text: "" }) },
    secrets: { get: async () => null },
    programs: { run: async () => program(pcpSays) },
    rootHelper: { verbs: async () => ["door"], open: async () => helper },
  };
  // The rest is never asked for here: a use of it would fail the test.
  return context as unknown as StepContext;
}

test("a helper that died while it held the door does not take the agent with it", async () => {
  vi.useFakeTimers();
  const rejections: unknown[] = [];
  const note = (reason: unknown): void => void rejections.push(reason);
  process.on("unhandledRejection", note);
  const ended: string[] = [];
  const held = await shutDoor(contextWith(dyingHelper(ended), "watchdog disabled"), [9999], 500);
  expect(held.refusal).toBeNull();
  await vi.advanceTimersByTimeAsync(3_000);
  vi.useRealTimers();
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", note);
  expect(rejections).toEqual([]);
  expect(ended).toEqual(["ended"]);
  expect(heldDoor("op-abcdefgh")).toBeNull();
});

test("whoever waits for the pool keeps its password when the door is forgotten meanwhile", async () => {
  vi.useFakeTimers();
  const state = await mkdtemp(join(tmpdir(), "castellan-door-"));
  onTestFinished(() => rm(state, { recursive: true }));
  const files = (): string[] => readdirSync(join(state, "password-files"));
  const context = contextWith(dyingHelper([]), "watchdog disabled");
  Object.assign(context.settings, { stateDirectory: state });
  Object.assign(context.secrets, { get: async () => new Secret("of the pool") });
  await shutDoor(context, [9999], 500);
  const control = await poolControl(context);
  await vi.advanceTimersByTimeAsync(3_000);
  vi.useRealTimers();
  expect(heldDoor("op-abcdefgh")).toBeNull();
  expect(files()).toHaveLength(1);
  await control[Symbol.asyncDispose]();
  expect(files()).toEqual([]);
});

test("a door that is shut anew stays shut when the time of the first is over", async () => {
  vi.useFakeTimers();
  const asked: string[] = [];
  const helper: RootHelperSession = {
    ask: async (line) => {
      asked.push(line);
      return line.startsWith("shut ") ? "shut 9999" : line;
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  const context = contextWith(helper, "watchdog disabled");
  await shutDoor(context, [9999], 500);
  await vi.advanceTimersByTimeAsync(2_000);
  await shutDoor(context, [9999], 500);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked).toEqual(["ready", "shut 500", "shut 500"]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(asked.at(-1)).toBe("open");
  vi.useRealTimers();
});

test("a pool that does not answer ends the helper that was to hold its door", async () => {
  const ended: string[] = [];
  const shut = shutDoor(contextWith(dyingHelper(ended), "could not connect"), [9999], 500);
  await expect(shut).rejects.toMatchObject({ code: "POOL_UNREACHABLE" });
  expect(ended).toEqual(["ended"]);
});
