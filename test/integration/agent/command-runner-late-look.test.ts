import { expect, test } from "vitest";
import type { ChangeStep } from "#agent/steps/step.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { openPorts } from "./real-ports.ts";
import { change, command, held, openRunner } from "./open-command-runner.ts";

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
  const facts = someFacts();
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
