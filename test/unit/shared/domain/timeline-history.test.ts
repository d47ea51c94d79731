import { expect, test } from "vitest";
import { partingOf } from "#shared/domain/timeline-history.ts";

const third =
  "1\t0/5000148\tno recovery target specified\n\n2\t0/7000060\tno recovery target specified\n";

test("two servers parted where the first of them left what they have in common", () => {
  const at = (history: string, timeline: number) => ({ history, timeline });
  expect(partingOf(at("", 1), at(third, 3))).toEqual({ timeline: 1, at: "0/5000148" });
  // Both were promoted from timeline 1, one of them earlier.
  const other = at("1\t0/4000000\tx\n", 4);
  expect(partingOf(other, at(third, 3))).toEqual({ timeline: 1, at: "0/4000000" });
  expect(partingOf(at(third, 3), at(third, 3))).toEqual({ timeline: 3, at: null });
  expect(partingOf(at("", 2), at("", 1))).toBeNull();
});

test("two timelines of one number that were left for at different positions have only what was before in common", () => {
  const at = (history: string, timeline: number) => ({ history, timeline });
  // Both were promoted from timeline 1, each to a timeline 2 of its own.
  const other = at("1\t0/4000000\tx\n", 2);
  expect(partingOf(other, at(third, 3))).toEqual({ timeline: 1, at: "0/4000000" });
  expect(partingOf(at(third, 3), other)).toEqual({ timeline: 1, at: "0/4000000" });
});
