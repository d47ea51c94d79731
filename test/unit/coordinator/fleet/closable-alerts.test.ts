import { expect, test } from "vitest";
import { closingHint, isClosable } from "#coordinator/fleet/closable-alerts.ts";

test("alerts that nothing ends by itself can be closed by a person, each with the condition for it", () => {
  for (const cause of ["node:srv127:claimed-twice", "node:srv127:too-many-alerts"]) {
    expect(isClosable({ cause })).toBe(true);
    expect(closingHint({ cause, id: 7 })).toMatch(/^when .+: castellan alert close 7$/);
  }
});

test("alerts that agents end are theirs alone", () => {
  for (const cause of ["node:srv127:agent-away", "node:srv127:newer-epoch"]) {
    expect(isClosable({ cause })).toBe(false);
  }
});
