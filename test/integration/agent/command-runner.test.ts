import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { openRecordFolder } from "#agent/adapters/record-folder.ts";
import { createCommandRunner, type CommandRunner } from "#agent/command-runner.ts";
import type { Ports } from "#agent/ports.ts";
import { CommandRecord, createCommandsOnDisk, type EndedCommand } from "#agent/commands-on-disk.ts";
import type { ChangeStep, Executors, ReadStep } from "#agent/steps/step.ts";
import type { CommandEnvelope, Evidence } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { nodeFacts } from "#test/unit/agent/node-facts.ts";
import { openPorts, type PortsHome } from "./real-ports.ts";

const evidence: Evidence = { alreadyDone: false, lines: [], files: [] };

/** A change that says what was called, and holds where the test says so. */
function change(calls: string[], hold?: Promise<void>): ChangeStep<"create-slot"> {
  return {
    check: async () => {
      calls.push("check");
      return null;
    },
    apply: async (_args, { signal }) => {
      calls.push("apply");
      const aborted = new Promise<never>((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
      if (hold !== undefined) await Promise.race([hold, aborted]);
    },
    verify: async () => {
      calls.push("verify");
      return evidence;
    },
    undo: async () => {
      calls.push("undo");
      return evidence;
    },
  };
}

async function openRunner(
  home: PortsHome,
  executors: Partial<Executors>,
  kept = 10,
  onPut: () => void = () => undefined,
  world: {
    readonly ports?: Partial<Ports>;
    readonly sleptMs?: () => number;
  } = {},
) {
  const ports = { ...home.ports, ...world.ports };
  const state = ports.settings.stateDirectory;
  const commands = await openRecordFolder(join(state, "commands"), CommandRecord);
  const accepted: string[] = [];
  const ended: EndedCommand[] = [];
  const runner: CommandRunner = await createCommandRunner({
    ports,
    executors,
    wakefulness: { sleptMs: world.sleptMs ?? (() => 0) },
    disk: createCommandsOnDisk(
      {
        ...commands,
        put: async (key, record) => {
          onPut();
          await commands.put(key, record);
        },
      },
      await openRecordFolder(join(state, "epoch"), z.number()),
      kept,
    ),
    listener: {
      onAccepted: (id) => accepted.push(id),
      onProgress: () => undefined,
      onEnded: (end) => ended.push(end),
    },
  });
  const endOf = (id: string) => waitFor(() => ended.find((end) => end.commandId === id));
  return { runner, accepted, ended, endOf };
}

function command(more: Partial<CommandEnvelope> = {}): CommandEnvelope {
  return {
    id: "op-abcdefgh/0/run/1",
    epoch: 5,
    operationId: "op-abcdefgh",
    stepId: "create-slot@srv127",
    kind: "create-slot",
    phase: "run",
    args: { slot: "slot_a", forNode: "a", reserve: false, walBudgetBytes: null },
    expiresAt: Date.now() + 60_000,
    preconditions: { systemIdentifier: null, role: null, timeline: null },
    ...more,
  };
}

const held = (): { readonly promise: Promise<void>; readonly release: () => void } => {
  let release = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { promise, release: () => release() };
};

test("the same id again answers the stored result and never runs a second time", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const { runner, accepted, ended, endOf } = await openRunner(home, {
    "create-slot": change(calls),
  });
  await runner.receive(command());
  await endOf(command().id);
  await runner.receive(command({ epoch: 6 }));
  expect(calls).toEqual(["check", "apply", "verify"]);
  expect(accepted).toHaveLength(1);
  expect(ended.map((end) => end.outcome)).toEqual(["done", "done"]);
});

test("the same id twice in one moment runs once", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const { runner, endOf } = await openRunner(home, { "create-slot": change(calls) });
  await Promise.all([runner.receive(command()), runner.receive(command())]);
  await endOf(command().id);
  expect(calls).toEqual(["check", "apply", "verify"]);
});

test("an older epoch is refused naming both, also after a restart, and is not stored", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const first = await openRunner(home, { "create-slot": change(calls) });
  await first.runner.receive(command({ epoch: 7 }));
  await first.endOf(command().id);
  const second = await openRunner(home, { "create-slot": change(calls) });
  expect(second.runner.highestEpoch()).toBe(7);
  const late = command({ id: "op-abcdefgh/1/run/1", epoch: 6 });
  await second.runner.receive(late);
  const end = await second.endOf(late.id);
  expect(end.outcome).toBe("refused");
  expect(end.failure?.message).toMatch(/epoch 6.*epoch 7/);
  // The right coordinator's word for the same step is not spoilt by the refusal.
  await second.runner.receive({ ...late, epoch: 7 });
  await waitFor(() => second.ended.some((e) => e.commandId === late.id && e.outcome === "done"));
});

test("what a restart finds unfinished is reported interrupted and nothing is run from disk", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const gate = held();
  const first = await openRunner(home, { "create-slot": change(calls, gate.promise) });
  await first.runner.receive(command());
  await waitFor(() => calls.includes("apply"));
  // The first runner is gone as if killed: the second knows only what is on disk.
  const second = await openRunner(home, { "create-slot": change(calls) });
  expect(second.runner.unacknowledged()).toMatchObject([
    {
      commandId: command().id,
      outcome: "interrupted",
      failure: { code: "INTERRUPTED", retryable: true },
    },
  ]);
  await second.runner.receive(command());
  expect(await second.endOf(command().id)).toMatchObject({ outcome: "interrupted" });
  expect(calls).toEqual(["check", "apply"]);
  gate.release();
  await first.endOf(command().id);
});

test("changes wait for one another; reads and the door do not", async () => {
  await using home = await openPorts();
  const gate = held();
  const calls: string[] = [];
  const door: string[] = [];
  const read: ReadStep<"measure-wal-rate"> = { verify: async () => ({ bytesPerSecond: 1 }) };
  const { runner, ended, endOf } = await openRunner(home, {
    "create-slot": change(calls, gate.promise),
    "measure-wal-rate": read,
    "hold-door": {
      check: async () => null,
      apply: async () => {
        door.push("held");
      },
      verify: async () => ({ ...evidence, held: true, reason: null }),
      undo: async () => evidence,
    },
  });
  await runner.receive(command({ id: "a" }));
  await runner.receive(command({ id: "b" }));
  await runner.receive(command({ id: "r", kind: "measure-wal-rate", args: { windowMs: 1 } }));
  await runner.receive(
    command({ id: "d", kind: "hold-door", args: { ports: [9999], forMs: 500 } }),
  );
  await endOf("r");
  await endOf("d");
  expect(door).toEqual(["held"]);
  expect(calls).toEqual(["check", "apply"]);
  expect(ended.map((end) => end.commandId).sort()).toEqual(["d", "r"]);
  gate.release();
  await endOf("b");
  expect(calls).toEqual(["check", "apply", "verify", "check", "apply", "verify"]);
});

test("a cancel ends the command as failed, and an older coordinator's cancel does nothing", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const { runner, ended, endOf } = await openRunner(home, {
    "create-slot": change(calls, held().promise),
  });
  await runner.receive(command());
  await waitFor(() => calls.includes("apply"));
  runner.cancel(command().id, 4);
  await runner.receive(command({ id: "other", kind: "measure-wal-rate", args: { windowMs: 1 } }));
  await endOf("other");
  expect(ended.map((end) => end.commandId)).toEqual(["other"]);
  runner.cancel(command().id, 5);
  expect(await endOf(command().id)).toMatchObject({
    outcome: "failed",
    failure: { code: "INTERRUPTED", message: "cancelled by the coordinator" },
  });
  expect(calls).toEqual(["check", "apply"]);
});

test("a stop hands running commands back as interrupted and takes no more", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const { runner, accepted, endOf } = await openRunner(home, {
    "create-slot": change(calls, held().promise),
  });
  await runner.receive(command());
  await waitFor(() => calls.includes("apply"));
  await runner.stop(5_000);
  expect(await endOf(command().id)).toMatchObject({ outcome: "interrupted" });
  await runner.receive(command({ id: "late" }));
  expect(accepted).toEqual([command().id]);
});

test("a failing step's own words, hint and evidence reach the coordinator", async () => {
  await using home = await openPorts();
  const details = { hint: "free some", evidence: ["df: 100%"], retryable: true };
  const { runner, endOf } = await openRunner(home, {
    "create-slot": {
      ...change([]),
      apply: () => Promise.reject(new Failure("RESOURCE_MISSING", "disk full", details)),
    },
  });
  await runner.receive(command());
  expect(await endOf(command().id)).toEqual({
    commandId: command().id,
    outcome: "failed",
    result: null,
    failure: { code: "RESOURCE_MISSING", message: "disk full", ...details },
  });
});

test("what was acknowledged is kept up to the limit, what was not is kept for ever", async () => {
  await using home = await openPorts();
  const { runner, endOf } = await openRunner(home, { "create-slot": change([]) }, 2);
  for (const id of ["1", "2", "3", "4", "5"]) {
    await runner.receive(command({ id }));
    await endOf(id);
    if (id !== "1") await runner.acknowledge(id);
  }
  const files = await readdir(join(home.ports.settings.stateDirectory, "commands"));
  expect(files.sort()).toEqual(["1.json", "4.json", "5.json"]);
  expect(runner.unacknowledged().map((end) => end.commandId)).toEqual(["1"]);
});

/** A state directory that is full while the test says so. */
function fullDisk() {
  const disk = { isFull: false };
  const onPut = (): void => {
    if (disk.isFull) throw new Failure("RESOURCE_MISSING", "no space left on device");
  };
  return { disk, onPut };
}

test("a command that the full disk can't take is refused with that reason, and runs once there is space", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const { disk, onPut } = fullDisk();
  const { runner, ended, endOf } = await openRunner(
    home,
    { "create-slot": change(calls) },
    10,
    onPut,
  );
  disk.isFull = true;
  await runner.receive(command());
  expect(await endOf(command().id)).toMatchObject({
    outcome: "refused",
    failure: { code: "RESOURCE_MISSING", message: "no space left on device" },
  });
  expect(calls).toEqual([]);
  disk.isFull = false;
  await runner.receive(command());
  await waitFor(() => ended.some((end) => end.outcome === "done"));
});

test("an end that the full disk did not take is told until it is acknowledged, and stored then", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const { disk, onPut } = fullDisk();
  const gate = held();
  const steps = { "create-slot": change(calls, gate.promise) };
  const { runner, ended, endOf } = await openRunner(home, steps, 10, onPut);
  await runner.receive(command());
  await waitFor(() => calls.includes("apply"));
  disk.isFull = true;
  gate.release();
  await endOf(command().id);
  expect(runner.unacknowledged()).toMatchObject([{ commandId: command().id, outcome: "done" }]);
  await runner.receive(command());
  expect(ended.map((end) => end.outcome)).toEqual(["done", "done"]);
  disk.isFull = false;
  await runner.acknowledge(command().id);
  expect(runner.unacknowledged()).toEqual([]);
  const next = await openRunner(home, steps);
  await next.runner.receive(command());
  expect(await next.endOf(command().id)).toMatchObject({ outcome: "done" });
  expect(calls).toEqual(["check", "apply", "verify"]);
});

test("an end that was acknowledged while the disk was full is stored when it takes something again", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const { disk, onPut } = fullDisk();
  const gate = held();
  const steps = { "create-slot": change(calls, gate.promise) };
  const { runner, endOf } = await openRunner(home, steps, 10, onPut);
  await runner.receive(command());
  await waitFor(() => calls.includes("apply"));
  disk.isFull = true;
  gate.release();
  await endOf(command().id);
  await runner.acknowledge(command().id);
  expect(runner.unacknowledged()).toEqual([]);
  disk.isFull = false;
  await runner.receive(command({ id: "next" }));
  await endOf("next");
  await runner.acknowledge("next");
  const after = await openRunner(home, steps);
  expect(after.runner.unacknowledged()).toEqual([]);
  await after.runner.receive(command());
  expect(await after.endOf(command().id)).toMatchObject({ outcome: "done" });
});

test("a command that waits for its turn is not begun after a newer coordinator came, unless that one asks for it too", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const gate = held();
  const { runner, endOf } = await openRunner(home, {
    "create-slot": change(calls, gate.promise),
  });
  await runner.receive(command({ id: "first" }));
  await runner.receive(command({ id: "stale" }));
  await runner.receive(command({ id: "wanted" }));
  await waitFor(() => calls.includes("apply"));
  await runner.meetEpoch(6);
  await runner.receive(command({ id: "wanted", epoch: 6 }));
  gate.release();
  expect(await endOf("first")).toMatchObject({ outcome: "done" });
  const stale = await endOf("stale");
  expect(stale.outcome).toBe("refused");
  expect(stale.failure?.message).toMatch(/epoch 5.*epoch 6/);
  expect(await endOf("wanted")).toMatchObject({ outcome: "done" });
});

test("more commands than a host should ever have are refused, and taken again when there is room", async () => {
  await using home = await openPorts();
  const gate = held();
  const { runner, endOf } = await openRunner(home, { "create-slot": change([], gate.promise) });
  for (let n = 0; n < 64; n += 1) await runner.receive(command({ id: `c${n}` }));
  await runner.receive(command({ id: "over" }));
  expect(await endOf("over")).toMatchObject({
    outcome: "refused",
    failure: { code: "REFUSED", retryable: true },
  });
  gate.release();
  await endOf("c63");
});

/** A step whose look at the world takes until the test says so. */
function slowCheck(calls: string[], looked: Promise<void>): ChangeStep<"create-slot"> {
  return {
    ...change(calls),
    check: async () => {
      calls.push("check");
      await looked;
      return null;
    },
  };
}

const ofPrimary = { systemIdentifier: null, role: "primary", timeline: null } as const;

test("a node that was demoted while a step looked at it is left alone", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const gate = held();
  const facts = nodeFacts();
  let role: "primary" | "standby" = "primary";
  const observe = async () => ({ ...facts, database: { ...facts.database, role } });
  const steps = { "create-slot": slowCheck(calls, gate.promise) };
  const { runner, endOf } = await openRunner(home, steps, 10, undefined, { ports: { observe } });
  await runner.receive(command({ preconditions: ofPrimary }));
  await waitFor(() => calls.includes("check"));
  const lookedAt = performance.now();
  role = "standby";
  await waitFor(() => performance.now() - lookedAt > 400);
  gate.release();
  expect(await endOf(command().id)).toMatchObject({
    outcome: "refused",
    failure: { message: expect.stringContaining("role is standby, not primary") },
  });
  expect(calls).toEqual(["check"]);
});

test("a newer coordinator that comes while a step looks keeps it from its effect", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const gate = held();
  const { runner, endOf } = await openRunner(home, {
    "create-slot": slowCheck(calls, gate.promise),
  });
  await runner.receive(command());
  await waitFor(() => calls.includes("check"));
  await runner.meetEpoch(6);
  gate.release();
  const end = await endOf(command().id);
  expect(end.failure?.message).toMatch(/epoch 5.*epoch 6/);
  expect(end.outcome).toBe("refused");
  expect(calls).toEqual(["check"]);
});

test("a command that expires while a step looks has no effect", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const gate = held();
  const { clock } = home.ports;
  let aheadMs = 0;
  const later = { ...clock, now: () => clock.now() + aheadMs };
  const steps = { "create-slot": slowCheck(calls, gate.promise) };
  const { runner, endOf } = await openRunner(home, steps, 10, undefined, { ports: { clock: later } }); // prettier-ignore
  await runner.receive(command());
  await waitFor(() => calls.includes("check"));
  aheadMs = 3_600_000;
  gate.release();
  expect(await endOf(command().id)).toMatchObject({
    outcome: "refused",
    failure: { message: expect.stringContaining("expired") },
  });
  expect(calls).toEqual(["check"]);
});

test("an agent that stood still between look and effect does nothing, and lets itself be told again", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const gate = held();
  let sleptMs = 0;
  const steps = { "create-slot": slowCheck(calls, gate.promise) };
  const { runner, endOf } = await openRunner(home, steps, 10, undefined, { sleptMs: () => sleptMs }); // prettier-ignore
  await runner.receive(command());
  await waitFor(() => calls.includes("check"));
  sleptMs = 65_000;
  gate.release();
  expect(await endOf(command().id)).toMatchObject({
    outcome: "interrupted",
    failure: { code: "INTERRUPTED", retryable: true, message: expect.stringContaining("65 s") },
  });
  expect(calls).toEqual(["check"]);
  await runner.receive(command({ id: "op-abcdefgh/0/run/2" }));
  expect(await endOf("op-abcdefgh/0/run/2")).toMatchObject({ outcome: "done" });
});

test("an undo from a newer coordinator ends what runs for the same operation and was not asked for again", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const { runner, endOf } = await openRunner(home, {
    "create-slot": change(calls, held().promise),
  });
  await runner.receive(command());
  await waitFor(() => calls.includes("apply"));
  await runner.receive(command({ id: "other", operationId: "op-bcdefghi", phase: "undo", epoch: 6 })); // prettier-ignore
  await runner.receive(command({ id: "op-abcdefgh.1/0/undo/2", phase: "undo", epoch: 6 }));
  expect(await endOf(command().id)).toMatchObject({
    outcome: "failed",
    failure: { code: "INTERRUPTED" },
  });
  expect(await endOf("op-abcdefgh.1/0/undo/2")).toMatchObject({ outcome: "done" });
  expect(calls).toEqual(["check", "apply", "undo", "undo"]);
});
