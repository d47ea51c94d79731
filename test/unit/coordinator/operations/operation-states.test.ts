import { expect, test } from "vitest";
import {
  nextState,
  operationEvents,
  operationStates,
  terminalStates,
  transitions,
} from "#shared/domain/operation.ts";

test("every state but the final ones can be left, and the final ones can't", () => {
  for (const state of operationStates) {
    const ways = operationEvents.filter((event) => nextState(state, event) !== null);
    expect(ways.length > 0, state).toBe(!terminalStates.has(state));
  }
});

test("every state can be reached from planned", () => {
  const reached = new Set(["planned"]);
  for (let before = 0; before !== reached.size;) {
    before = reached.size;
    for (const t of transitions) if (reached.has(t.from)) reached.add(t.to);
  }
  expect([...reached].toSorted()).toEqual([...operationStates].toSorted());
});

test("a state and an event lead to one state", () => {
  const pairs = transitions.map((t) => `${t.from} ${t.event}`);
  expect(new Set(pairs).size).toBe(pairs.length);
});

test("an operation can be aborted from any state that it can rest in", () => {
  for (const state of ["planned", "running", "paused", "needs-attention"] as const) {
    expect(nextState(state, "abort"), state).not.toBeNull();
  }
});
