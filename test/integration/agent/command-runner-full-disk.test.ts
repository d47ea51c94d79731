import { expect, test } from "vitest";
import { Failure } from "#shared/errors.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { openPorts } from "./real-ports.ts";
import { change, openRunner, command, held } from "./open-command-runner.ts";

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
