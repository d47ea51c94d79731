import { expect, test } from "vitest";
import { divergence } from "#agent/guard/new-primary.ts";

const primary = { timeline: 2, position: "0/6000000", history: "1\t0/5000148\tx\n" };

test("WAL up to the fork is followed, and so is that of the same timeline up to the primary's end", () => {
  expect(divergence({ timeline: 1, position: "0/5000148" }, primary)).toBeNull();
  expect(divergence({ timeline: 2, position: "0/6000000" }, primary)).toBeNull();
});

test.each([
  [
    { timeline: 1, position: "0/5000149" },
    "timeline 1 was left at 0/5000148 and this node's WAL goes to 0/5000149",
  ],
  [
    { timeline: 2, position: "0/6000001" },
    "this node's WAL goes to 0/6000001, the primary's to 0/6000000 on the same timeline 2",
  ],
  [{ timeline: 3, position: "0/1000000" }, "timeline 3 here is newer than its 2"],
])("WAL of %j is not", (own, because) => {
  expect(divergence(own, primary)).toBe(because);
  expect(divergence({ ...own, timeline: 4 }, { ...primary, timeline: 5 })).toBe("timeline 4 is not in the history of its timeline 5"); // prettier-ignore
});
