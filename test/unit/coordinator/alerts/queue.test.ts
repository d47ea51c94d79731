import { expect, test } from "vitest";
import { afterFailure, noTrouble, takeStock, type Trouble } from "#coordinator/alerts/queue.ts";
import { matchesCause } from "#coordinator/alerts/cause-pattern.ts";
import type { ChangedAlert } from "#coordinator/store/store.ts";

const sink = { name: "hook", minSeverity: "warning", firstRevision: 5 } as const;
const change = (revision: number, more: Partial<ChangedAlert> = {}): ChangedAlert => ({
  revision,
  cause: `cause-${revision}`,
  severity: "critical",
  state: "open",
  isMuted: false,
  ...more,
});

test("the oldest change is told first; nothing waits when nothing has changed", () => {
  expect(takeStock(sink, 5, [change(6), change(8)], 10)).toEqual({ next: 6, waiting: 2, dropped: null, passedUpTo: 5 }); // prettier-ignore
  expect(takeStock(sink, 5, [], 10)).toEqual({ next: null, waiting: 0, dropped: null, passedUpTo: 5 }); // prettier-ignore
});

test("what is muted, too mild, its own trouble, or was over before the sink was there is passed", () => {
  const passed = [
    change(3, { state: "resolved" }),
    change(6, { isMuted: true }),
    change(7, { severity: "info" }),
    change(8, { cause: "sink:hook:lagging" }),
  ];
  expect(takeStock(sink, 0, passed, 10)).toMatchObject({ next: null, passedUpTo: 8 });
  const told = [change(4), change(9, { state: "resolved" }), change(10, { cause: "sink:other:lagging" })]; // prettier-ignore
  expect(takeStock(sink, 0, told, 10)).toMatchObject({ next: 4, waiting: 3 });
  expect(takeStock(sink, 0, [...passed, change(11)], 10)).toMatchObject({ next: 11, passedUpTo: 10 }); // prettier-ignore
});

test("beyond the limit the oldest that would be told are given up", () => {
  const changed = [change(6), change(7, { isMuted: true }), change(8), change(9), change(10)];
  expect(takeStock(sink, 5, changed, 2)).toEqual({
    next: 9,
    waiting: 2,
    dropped: { count: 2, upTo: 8 },
    passedUpTo: 8,
  });
});

test("waits grow from half a second to a minute, and a sink that only fails is never given up", () => {
  let trouble: Trouble = noTrouble;
  const waits = Array.from({ length: 12 }, () => {
    const after = afterFailure(trouble, { retryable: true }, 1);
    trouble = after.trouble;
    expect(after.passOver).toBe(false);
    return after.waitMs;
  });
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000, 60_000]); // prettier-ignore
  expect(afterFailure(noTrouble, { retryable: true }, 0).waitMs).toBe(250);
});

test("it is an alert when it has failed five times, and an alert that is refused eight times is passed over", () => {
  let trouble: Trouble = noTrouble;
  const after = Array.from({ length: 8 }, () => {
    const next = afterFailure(trouble, { retryable: false }, 0.5);
    trouble = next.trouble;
    return next;
  });
  expect(after.map(({ isLagging }) => isLagging)).toEqual([false, false, false, false, true, true, true, true]); // prettier-ignore
  expect(after.map(({ passOver }) => passOver).indexOf(true)).toBe(7);
  expect(after.at(-1)).toMatchObject({ waitMs: 0, trouble: { failures: 8, refusals: 0 } });
});

test.each([
  ["node:srv127:file:*", "node:srv127:file:/data/kingbase.conf", true],
  ["node:srv127:file:*", "node:srv129:file:/data/kingbase.conf", false],
  ["*", "anything", true],
  ["*", "", true],
  ["node:*:agent-away", "node:srv127:agent-away", true],
  ["node:*:agent-away", "node:agent-away", false],
  ["a*b*c", "a-b-b-c", true],
  ["a*b*c", "a-c-b", false],
  ["ab*ba", "aba", false],
  ["exact", "exact", true],
  ["exact", "exact-not", false],
  ["rule:[x].?", "rule:[x].?", true],
  ["rule:[x].?", "rule:x.y", false],
])("pattern %s and cause %s: %s", (pattern, cause, matches) => {
  expect(matchesCause(pattern, cause)).toBe(matches);
});
