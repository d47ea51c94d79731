import { expect, test } from "vitest";
import { parseThreshold } from "#agent/checks/threshold.ts";

test.each([
  ["> 5", [4, 5], [6]],
  [">=5", [4.9], [5, 6]],
  ["< -0.5", [-0.5, 0], [-1]],
  ["<= 0", [0.1], [0, -1]],
  ["= 3", [2.9], [3]],
  ["!= 3", [3], [2, 4]],
])("%s is a comparison", (text, passes, breaks) => {
  const threshold = parseThreshold(text);
  expect(passes.map((value) => threshold?.(value))).toEqual(passes.map(() => false));
  expect(breaks.map((value) => threshold?.(value))).toEqual(breaks.map(() => true));
});

test.each(["", "5", "> five", ">> 5", "=> 5", "> 5 MB", "> 1e3"])("%o is none", (text) => {
  expect(parseThreshold(text)).toBe(null);
});
