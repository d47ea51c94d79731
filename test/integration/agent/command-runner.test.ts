import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { ReadStep } from "#agent/steps/step.ts";
import { Failure } from "#shared/errors.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { openPorts } from "./real-ports.ts";
import { evidence, change, openRunner, command, held } from "./open-command-runner.ts";

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

test("a change reserves what it touches while it runs, and begins when the guard is through with that", async () => {
  await using home = await openPorts();
  const calls: string[] = [];
  const [guard, step] = [held(), held()];
  const asked: string[] = [];
  const reserved = () => home.ports.reservations.current().map((each) => each.class);
  const { runner, endOf } = await openRunner(
    home,
    { "create-slot": change(calls, step.promise) },
    10,
    undefined,
    {
      guardAtRest: (classes) => {
        asked.push(...classes);
        return guard.promise;
      },
    },
  );
  await runner.receive(command());
  await waitFor(() => asked.length > 0);
  expect([asked, reserved(), calls]).toEqual([["disk"], ["disk"], []]);
  guard.release();
  await waitFor(() => calls.includes("apply"));
  expect(reserved()).toEqual(["disk"]);
  step.release();
  expect((await endOf(command().id)).outcome).toBe("done");
  expect(reserved()).toEqual([]);
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
