import { describe, expect, test } from "vitest";
import { admissionRefusal, expiryRefusal, preconditionRefusal } from "#agent/admission.ts";
import type { CommandEnvelope } from "#shared/domain/commands.ts";
import { someFacts } from "#test/unit/some-facts.ts";

const command: CommandEnvelope = {
  id: "op-abcdefgh/3/run/1",
  epoch: 4,
  operationId: "op-abcdefgh",
  stepId: "create-slot@srv127",
  kind: "create-slot",
  phase: "run",
  args: { slot: "slot_a", forNode: "a", reserve: false, walBudgetBytes: null },
  expiresAt: 1_000,
  preconditions: {
    systemIdentifier: someFacts().database.systemIdentifier,
    role: "primary",
    timeline: 1,
  },
};
const facts = { highestEpoch: 4, allowedVerbs: ["create-slot", "prove-login"], now: 1_000 };

describe("a command is admitted", () => {
  test("when epoch, verb, arguments and expiry are in order", () => {
    expect(admissionRefusal(command, facts)).toBeNull();
    expect(admissionRefusal({ ...command, epoch: 5, phase: "undo" }, facts)).toBeNull();
  });

  test("but not with a rule that lets anybody in without a password", () => {
    const rule = { type: "host", database: "all", user: "all", address: "0.0.0.0/0" };
    const asking = (method: string): CommandEnvelope => ({
      ...command,
      kind: "open-hba",
      args: { file: "/data/pg_hba.conf", rules: [{ ...rule, method }] },
    });
    const open = { ...facts, allowedVerbs: ["open-hba"] };
    expect(admissionRefusal(asking("md5"), open)).toBeNull();
    expect(admissionRefusal(asking("trust"), open)?.message).toMatch(/args\.rules\.0\.method/);
  });

  test.each<[string, Partial<CommandEnvelope>, RegExp]>([
    ["an older epoch", { epoch: 3 }, /epoch 3; this agent has seen epoch 4/],
    ["a verb that this host does not allow", { kind: "open-hba" }, /allow\.verbs/],
    ["the undo of what changes nothing", { kind: "prove-login", phase: "undo" }, /can't be undone/],
    ["arguments against the schema", { args: { slot: "Bad Slot" } }, /args\.slot/],
    ["arguments with a field too many", { args: { ...Object(command.args), shell: "id" } }, /args/],
    ["no arguments at all", { args: null }, /args/],
    ["an expired command", { expiresAt: 999 }, /expired 1 ms before/],
  ])("but not with %s", (_, more, says) => {
    const refusal = admissionRefusal({ ...command, ...more }, facts);
    expect(refusal).toMatchObject({ code: "REFUSED", message: expect.stringMatching(says) });
  });
});

test("what came too late may come again: a host that slept, or whose clock was set, is no reason to stop", () => {
  expect(expiryRefusal({ ...command, expiresAt: 999 }, 1_000)).toMatchObject({ retryable: true });
});

describe("right before the effect", () => {
  test("a node that still is what the plan took it for passes", () => {
    expect(preconditionRefusal(command, someFacts())).toBeNull();
  });

  test("what differs is named with what was found and what was wanted", () => {
    const { database } = someFacts();
    const changed = { database: { ...database, role: "standby" as const, timeline: 2 } };
    expect(preconditionRefusal(command, changed)?.message).toBe(
      "command op-abcdefgh/3/run/1: role is standby, not primary; timeline is 2, not 1",
    );
  });

  test("a database that can't be asked is not taken for the right one", () => {
    const { database } = someFacts();
    const silent = { ...database, status: "stopped" as const, role: null, timeline: null };
    const refusal = preconditionRefusal(command, { database: silent });
    expect(refusal?.message).toContain("role is unknown, not primary");
    expect(refusal?.evidence).toEqual(["database stopped"]);
  });

  test("what is null in the command is not looked at", () => {
    const none = { systemIdentifier: null, role: null, timeline: null };
    const { database } = someFacts();
    const other = { database: { ...database, systemIdentifier: "8" } };
    expect(preconditionRefusal({ ...command, preconditions: none }, other)).toBeNull();
  });
});
