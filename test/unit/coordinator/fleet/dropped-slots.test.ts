import { expect, test } from "vitest";
import { closingHint, isClosable } from "#coordinator/fleet/closable-alerts.ts";
import { droppedSlotAlerts } from "#coordinator/fleet/dropped-slots.ts";
import type { AlertRecord } from "#coordinator/store/store.ts";
import { someFacts } from "#test/unit/some-facts.ts";
import { ofNoRule } from "../alert-builder.ts";

const causeOf = (node: string, cause: string): string => `node:${node}:${cause}`;
const dropped = {
  name: "slot_srv159",
  operationId: "op-12345678",
  forNode: "srv159",
  droppedAt: 77,
  rule: "slot-over-budget",
  reason: "it holds back 3 of 2 bytes of WAL",
  needsRebuild: true,
};

function alerts(droppedSlots: readonly (typeof dropped)[], known: readonly AlertRecord[] = []) {
  const facts = someFacts();
  const agent = { ...facts.agent, droppedSlots: [...droppedSlots] };
  return droppedSlotAlerts("srv127", { agent }, known, causeOf);
}

function record(more: Partial<AlertRecord>): AlertRecord {
  return {
    id: 1,
    cause: "node:srv127:slot-dropped:slot_srv159",
    severity: "critical",
    node: "srv127",
    summary: "",
    detail: "decision slot_srv159@77",
    state: "open",
    firstSeenAt: 0,
    lastSeenAt: 0,
    count: 1,
    ...ofNoRule,
    ...more,
  };
}

test("a drop that nobody heard of is told from the facts, once", () => {
  const { raise } = alerts([dropped]);
  expect(raise).toMatchObject([
    {
      cause: "node:srv127:slot-dropped:slot_srv159",
      severity: "critical",
      summary: "slot slot_srv159 was dropped: srv159 needs a rebuild",
    },
  ]);
  expect(alerts([dropped], [record({})]).raise).toEqual([]);
  // Closed by a person is told, too; a later drop is another one.
  expect(alerts([dropped], [record({ state: "resolved" })]).raise).toEqual([]);
  expect(alerts([{ ...dropped, droppedAt: 78 }], [record({})]).raise).toHaveLength(1);
});

test("its alert ends when the agent no longer says so", () => {
  expect(alerts([], [record({})]).over).toEqual(["node:srv127:slot-dropped:slot_srv159"]);
  expect(alerts([dropped], [record({})]).over).toEqual([]);
  expect(alerts([], [record({ cause: "node:srv129:slot-dropped:slot_srv159" })]).over).toEqual([]);
});

test("only what a person alone can know may be closed by hand", () => {
  expect(isClosable(record({}))).toBe(true);
  expect(isClosable(record({ cause: "not-promotable:srv159" }))).toBe(true);
  expect(isClosable(record({ cause: "node:srv127:guard:archiver-failing" }))).toBe(false);
  expect(isClosable(record({ cause: "node:srv127:wal-budget:slot_srv159" }))).toBe(false);
  expect(closingHint(record({ id: 7 }))).toContain("castellan alert close 7");
});
