import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { openRecordFolder } from "#agent/adapters/record-folder.ts";
import { createCommandRunner, type CommandRunner } from "#agent/command-runner.ts";
import { CommandRecord, createCommandsOnDisk, type EndedCommand } from "#agent/commands-on-disk.ts";
import type { ChangeStep, Executors, ReadStep } from "#agent/steps/step.ts";
import type { CommandEnvelope, Evidence } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import { waitFor } from "#test/harness/wait-for.ts";
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

async function openRunner(home: PortsHome, executors: Partial<Executors>, kept = 10) {
  const { ports } = home;
  const state = ports.settings.stateDirectory;
  const accepted: string[] = [];
  const ended: EndedCommand[] = [];
  const runner: CommandRunner = await createCommandRunner({
    ports,
    executors,
    disk: createCommandsOnDisk(
      await openRecordFolder(join(state, "commands"), CommandRecord),
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
