import { expect, test } from "vitest";
import { isClosable } from "#coordinator/fleet/closable-alerts.ts";
import { judgeOwnSlots } from "#coordinator/hub/unknown-operations.ts";
import type { AlertRecord } from "#coordinator/store/store.ts";
import type { NodeFacts } from "#shared/domain/facts.ts";
import { ofNoRule } from "../alert-builder.ts";

type OwnSlot = NodeFacts["agent"]["ownSlots"][number];

const slot: OwnSlot = {
  name: "slot_srv159",
  operationId: "op-aaaaaaaa",
  forNode: "srv159",
  walBudgetBytes: 1,
  madeAt: 2_000,
  reserve: true,
  isSeen: true,
  isReplaced: false,
};

const cause = "node:srv127:unknown-operations";
const alert = {
  cause,
  severity: "critical",
  node: "srv127",
  summary: "srv127 has worked for an operation that this journal does not know: op-aaaaaaaa",
  detail: "",
} as const;
type Raised = Parameters<Parameters<typeof judgeOwnSlots>[0]["raiseAlert"]>[0];
const record = (one: Raised): AlertRecord => ({
  ...ofNoRule,
  ...one,
  id: 1,
  state: "open",
  firstSeenAt: 0,
  lastSeenAt: 0,
  count: 1,
});

/** What was raised and resolved, with a journal that knows these operations. */
function judge(
  slots: readonly OwnSlot[],
  known: readonly string[],
  { joinedAt = 1_000, told = [] as readonly AlertRecord[] } = {},
) {
  const raised: string[] = [];
  const resolved: string[] = [];
  judgeOwnSlots(
    {
      agent: (node) => ({ node, secretHash: "", joinedAt }),
      // Only whether there is one is looked at.
      operation: ((id: string) => (known.includes(id) ? {} : null)) as never,
      alerts: ({ open = false } = {}) => told.filter(({ state }) => !open || state !== "resolved"),
      raiseAlert: (one) => {
        raised.push(one.summary);
        return record(one);
      },
      resolveAlert: (cause) => resolved.push(cause),
    },
    "srv127",
    { agent: { ownSlots: [...slots] } } as unknown as NodeFacts, // the part that is looked at
    3_000,
  );
  return { raised, resolved };
}

test("work for an operation that the journal does not know is told, naming it", () => {
  const { raised, resolved } = judge([slot, { ...slot, name: "b" }], ["op-bbbbbbbb"]);
  expect(raised).toEqual([
    "srv127 has worked for an operation that this journal does not know: op-aaaaaaaa",
  ]);
  expect(resolved).toEqual([]);
});

test("what the journal knows, and what is older than the agent's joining, is no news", () => {
  expect(judge([slot], ["op-aaaaaaaa"])).toEqual({ raised: [], resolved: [] });
  expect(judge([slot], [], { joinedAt: 5_000 })).toEqual({ raised: [], resolved: [] });
});

test("the alert ends when the slots are gone or the right journal is back", () => {
  expect(judge([], [], { told: [record(alert)] })).toEqual({ raised: [], resolved: [cause] });
});

test("what was told is not told at every look, nor again after somebody has closed it; more of it is", () => {
  const closed: AlertRecord = { ...record(alert), state: "resolved" };
  expect(judge([slot], [], { told: [record(alert)] })).toEqual({ raised: [], resolved: [] });
  expect(judge([slot], [], { told: [closed] })).toEqual({ raised: [], resolved: [] });
  const more = [slot, { ...slot, name: "b", operationId: "op-bbbbbbbb" }];
  expect(judge(more, [], { told: [closed] }).raised).toEqual([`${alert.summary}, op-bbbbbbbb`]);
});

test("an operator can close it: where the node is in use its slots stay for ever", () => {
  expect(isClosable(alert)).toBe(true);
});
