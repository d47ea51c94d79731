import { expect, test } from "vitest";
import { compareSlots } from "#agent/decide/slot-identity.ts";

const made = { inode: "7", bornNs: "1000" };

test("a slot is the one that we made only when its directory is", () => {
  expect(compareSlots(made, made)).toBe("same");
  expect(compareSlots(made, { ...made, inode: "8" })).toBe("other");
  // An inode is given out again at once: the birth tells.
  expect(compareSlots(made, { ...made, bornNs: "2000" })).toBe("other");
});

test("where a side can't be seen nothing is known, and without births the inode has to do", () => {
  expect(compareSlots(null, made)).toBe("unknown");
  expect(compareSlots(made, null)).toBe("unknown");
  expect(compareSlots({ ...made, bornNs: "0" }, made)).toBe("same");
});
