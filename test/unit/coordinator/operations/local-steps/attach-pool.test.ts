import { expect, test } from "vitest";
import { attachPool } from "#coordinator/operations/local-steps/attach-pool.ts";
import type {
  LocalStepArgs,
  LocalStepContext,
} from "#coordinator/operations/local-steps/local-step.ts";
import { commands } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import { createLog } from "#shared/log.ts";

const args: LocalStepArgs<"attach-pool"> = {
  row: {
    id: 2,
    hostname: "192.168.4.159",
    port: 54_321,
    weight: 1,
    dataDirectory: "/data",
    applicationName: "srv159",
  },
  pools: [
    { node: "srv127", port: 9999 },
    { node: "srv129", port: 9999 },
  ],
  holdDoor: true,
  holdMs: 1000,
};

test("every door is shut before anything is attached, and each opens after its own pool's proof", async () => {
  const { said, result } = await run(args);
  expect(said).toEqual([
    "srv127 prove-backend",
    "srv129 prove-backend",
    "srv127 hold-door",
    "srv129 hold-door",
    "wait 50 ms",
    "srv127 attach-backend",
    "srv129 attach-backend",
    "srv127 prove-backend",
    "srv129 prove-backend",
    "srv127 release-door",
    "srv129 release-door",
  ]);
  expect(result).toMatchObject({ alreadyDone: false });
});

test("a backend that is up everywhere disturbs nobody", async () => {
  const { said, result } = await run(args, { upFromTheStart: true });
  expect(said).toEqual(["srv127 prove-backend", "srv129 prove-backend"]);
  expect(result).toMatchObject({ alreadyDone: true });
});

test("a pool that has another row, or none, stops it before a door is shut", async () => {
  const { said, failure } = await run(args, {
    fail: { "srv129 prove-backend": new Failure("REFUSED", "this pool has not loaded backend 2") },
  });
  expect(failure?.message).toBe("this pool has not loaded backend 2");
  expect(said.some((line) => line.endsWith("hold-door"))).toBe(false);
});

test("a door that can't be held on one pool attaches nothing, opens the others and says why", async () => {
  const { said, failure } = await run(args, { refuseHold: "srv129" });
  expect(failure?.code).toBe("REFUSED");
  expect(failure?.evidence).toEqual(["srv129: held: false, no nft here"]);
  expect(said.filter((line) => line.endsWith("attach-backend"))).toEqual([]);
  expect(said.filter((line) => line.endsWith("release-door"))).toHaveLength(2);
});

test("a plan without a held door attaches openly and says that", async () => {
  const { said, result } = await run({ ...args, holdDoor: false });
  expect(said.some((line) => line.endsWith("-door"))).toBe(false);
  expect(result?.lines[0]).toMatch(/^held: false, as planned/);
});

test("doors that took long to shut are shut anew before anything is attached", async () => {
  // The first helper needs its time to start on a busy host; then they wait for the word.
  const { said, result } = await run(args, { holdsTakeMs: [2_000, 10, 20, 20] });
  expect(said.filter((line) => line.endsWith("hold-door"))).toHaveLength(4);
  expect(said.indexOf("srv127 attach-backend")).toBeGreaterThan(
    said.lastIndexOf("srv129 hold-door"),
  );
  expect(result).toMatchObject({ alreadyDone: false });
});

test("the time that a helper needs to start counts for nothing: no door is shut yet", async () => {
  const { said, result } = await run(args, { holdsTakeMs: [2_000, 2_000], preparedMs: 3_900 });
  expect(said.filter((line) => line.endsWith("hold-door"))).toHaveLength(2);
  expect(result).toMatchObject({ alreadyDone: false });
});

test("hosts that are too busy to hold all doors at once attach nothing, and are tried again", async () => {
  const { said, failure } = await run(args, { holdsTakeMs: [700] });
  expect(failure).toMatchObject({ code: "STALLED", retryable: true });
  expect(said.filter((line) => line.endsWith("attach-backend"))).toEqual([]);
  expect(said.filter((line) => line.endsWith("release-door"))).toHaveLength(2);
});

test("an attach that fails opens every door", async () => {
  const { said, failure } = await run(args, {
    fail: { "srv127 attach-backend": new Failure("PROGRAM_FAILED", "no such node") },
  });
  expect(failure?.message).toBe("no such node");
  expect(said.filter((line) => line.endsWith("release-door"))).toHaveLength(2);
});

test("a proof that fails on one pool still opens the door of the other", async () => {
  const { said, failure } = await run(args, {
    failLater: { "srv129 prove-backend": new Failure("STALLED", "shown down for 5 s") },
  });
  expect(failure?.message).toBe("shown down for 5 s");
  expect(said.filter((line) => line.endsWith("release-door")).toSorted()).toEqual([
    "srv127 release-door",
    "srv129 release-door",
  ]);
});

test("a release that can't be sent does not hide why the attach failed", async () => {
  const { failure } = await run(args, {
    fail: {
      "srv127 attach-backend": new Failure("PROGRAM_FAILED", "no such node"),
      "srv127 release-door": new Failure("INTERRUPTED", "aborted"),
    },
  });
  expect(failure?.message).toBe("no such node");
});

test("undo asks every pool, one after the other", async () => {
  const { context, said } = agents({});
  await attachPool.undo(args, context);
  expect(said).toEqual(["srv127 attach-backend undo", "srv129 attach-backend undo"]);
});

type Behaviour = {
  readonly upFromTheStart?: boolean;
  readonly refuseHold?: string;
  /** One after the other; the last for all that follow. */
  readonly holdsTakeMs?: readonly number[];
  /** How much of that passes before a door is told to shut. */
  readonly preparedMs?: number;
  readonly fail?: Readonly<Record<string, Failure>>;
  /** Only after the attach. */
  readonly failLater?: Readonly<Record<string, Failure>>;
};

async function run(given: LocalStepArgs<"attach-pool">, behaviour: Behaviour = {}) {
  const { context, said } = agents(behaviour);
  try {
    return { said, result: await attachPool.run(given, context), failure: null };
  } catch (error) {
    return { said, result: null, failure: error instanceof Failure ? error : null };
  }
}

/** Two agents that answer at once and write down what they were told. */
function agents({
  upFromTheStart = false,
  refuseHold,
  holdsTakeMs = [0],
  preparedMs = 0,
  fail = {},
  failLater = {},
}: Behaviour) {
  const said: string[] = [];
  let elapsedMs = 0;
  let holds = 0;
  let isUp = upFromTheStart;
  const answer = (node: string, kind: string, phase: string): unknown => {
    const what = `${node} ${kind}`;
    said.push(phase === "undo" ? `${what} undo` : what);
    const failure = fail[what] ?? (isUp && !upFromTheStart ? failLater[what] : undefined);
    if (failure !== undefined) throw failure;
    if (kind === "attach-backend") isUp = true;
    if (kind === "prove-backend" && !isUp) throw new Failure("STALLED", "shown down");
    const base = { alreadyDone: false, lines: [`${what} done`], files: [] };
    if (kind !== "hold-door") return base;
    elapsedMs += holdsTakeMs[holds] ?? holdsTakeMs.at(-1) ?? 0;
    holds += 1;
    const reason = node === refuseHold ? "no nft here" : null;
    return { ...base, held: reason === null, reason, preparedMs };
  };
  const unused = (): never => {
    throw new Error("no declaration is touched here");
  };
  const context: LocalStepContext = {
    operationId: "op-abcdefgh",
    stepId: "attach-pool",
    cluster: "ESHA",
    wasDone: false,
    signal: new AbortController().signal,
    clock: {
      now: () => 0,
      elapsedMs: () => elapsedMs,
      sleep: (ms) => Promise.resolve(void said.push(`wait ${ms} ms`)),
    },
    log: createLog("test", "silent"),
    clusterFiles: { names: () => [], load: unused, create: unused, addNode: unused, takeNode: unused, removeNode: unused, putNodeBack: unused }, // prettier-ignore
    progress: () => undefined,
    command: async (node, kind, _args, phase = "run") => {
      const result = answer(node, kind, phase);
      // Agents answer in a later turn, and the schema speaks as it does on the wire.
      await Promise.resolve();
      const schema = phase === "undo" ? commands["release-door"].result : commands[kind].result;
      return schema.parse(result) as never; // the schema of this very kind has just spoken
    },
  };
  return { context, said };
}
