import { expect, test } from "vitest";
import { divergence } from "#agent/guard/new-primary.ts";

const history = "1\t0/5000148\tx\n";
const primary = { timeline: 2, position: "0/6000000", history };

test("WAL up to the fork is followed, and so is that of the same timeline up to the primary's end", () => {
  expect(divergence({ timeline: 1, position: "0/5000148", history: "" }, primary)).toBeNull();
  expect(divergence({ timeline: 2, position: "0/6000000", history }, primary)).toBeNull();
});

test.each([
  [
    { timeline: 1, position: "0/5000149", history: "" },
    "timeline 1 was left at 0/5000148 and this node's WAL goes to 0/5000149",
  ],
  [
    { timeline: 2, position: "0/6000001", history },
    "this node's WAL goes to 0/6000001, the primary's to 0/6000000 on the same timeline 2",
  ],
  [{ timeline: 3, position: "0/1000000", history: "" }, "timeline 3 here is newer than its 2"],
])("WAL of %j is not", (own, because) => {
  expect(divergence(own, primary)).toBe(because);
  expect(divergence({ ...own, timeline: 4, history: "" }, { ...primary, timeline: 5 })).toBe("timeline 4 is not in the history of its timeline 5"); // prettier-ignore
});

test.each([2, 3])(
  "a timeline 2 of another promotion is not that of a primary on timeline %i",
  (timeline) => {
    // Two standbys were promoted at once, this one followed the other of them.
    const own = { timeline: 2, position: "0/5000300", history: "1\t0/5000100\tx\n" };
    const seen = { timeline, position: "0/6000000", history: `${history}${timeline === 3 ? "2\t0/5900000\tx\n" : ""}` }; // prettier-ignore
    expect(divergence(own, seen)).toBe(
      "timeline 1 was left at 0/5000100 and this node's WAL goes to 0/5000300",
    );
  },
);
