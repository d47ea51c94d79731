import { getEventListeners } from "node:events";
import { types } from "node:util";
import { expect, test } from "vitest";
import { followSignal } from "#coordinator/operations/follow-signal.ts";

test("it is aborted with what it follows, for the same reason", () => {
  const source = new AbortController();
  using follower = followSignal(source.signal);
  const reason = new Error("stopping");
  source.abort(reason);
  expect(follower.controller.signal.reason).toBe(reason);
  using late = followSignal(source.signal);
  expect(late.controller.signal.reason).toBe(reason);
});

test("disposed of, it follows no more, and the source does not know it any longer", () => {
  const source = new AbortController();
  const before = noted(source.signal);
  const follower = followSignal(source.signal);
  // As steps do, from the one that follows.
  AbortSignal.any([follower.controller.signal, new AbortController().signal]);
  follower[Symbol.dispose]();
  expect(noted(source.signal)).toBe(before);
  source.abort();
  expect(follower.controller.signal.aborted).toBe(false);
});

/** Listeners, and signals composed of this one: Node keeps them under a symbol, in a set of a class of its own. */
function noted(signal: AbortSignal): number {
  const key = Object.getOwnPropertySymbols(signal).find(
    ({ description }) => description === "kDependantSignals",
  );
  const composed: unknown = key === undefined ? null : Reflect.get(signal, key);
  return getEventListeners(signal, "abort").length + (types.isSet(composed) ? composed.size : 0);
}
