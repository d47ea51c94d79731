import { expect, test } from "vitest";
import { createExpectedChanges } from "#agent/watch/expected-changes.ts";

const path = "/data/pg_hba.conf";

test("our edits are expected, one on top of the other, as long as the first was made of what is accepted", () => {
  const expected = createExpectedChanges(() => 0);
  expected.expect(path, "ours", "accepted");
  expected.expect(path, "ours twice", "ours");
  expect(expected.isExpected(path, "ours", "accepted")).toBe(true);
  expect(expected.isExpected(path, "ours twice", "accepted")).toBe(true);
  expect(expected.isExpected(path, "ours twice", "ours")).toBe(true);
  expect(expected.isExpected(path, "by hand", "accepted")).toBe(false);
});

test("an edit on top of somebody's own is no excuse for his", () => {
  const expected = createExpectedChanges(() => 0);
  expected.expect(path, "by hand and ours", "by hand");
  expect(expected.isExpected(path, "by hand and ours", "accepted")).toBe(false);
  // Taken back, what is left is his alone.
  expected.expect(path, "by hand", "by hand and ours");
  expect(expected.isExpected(path, "by hand", "accepted")).toBe(false);
  expect(expected.isExpected(path, "by hand and ours", "by hand")).toBe(true);
});

test("of what an earlier process wrote it is not known what it was made of: it is expected", () => {
  const expected = createExpectedChanges(() => 0);
  expected.expect(path, "ours");
  expect(expected.isExpected(path, "ours", "accepted")).toBe(true);
});
