import { expect, test } from "vitest";
import { compareSlots } from "#agent/decide/slot-identity.ts";

const slot = { inode: "7", bornNs: "1000" };
const made = { at: 0, identity: slot };

test("a slot is the one that we made only when its directory is", () => {
  expect(compareSlots(made, slot)).toBe("same");
  expect(compareSlots(made, { ...slot, inode: "8" })).toBe("other");
  // An inode is given out again at once: the birth tells.
  expect(compareSlots(made, { ...slot, bornNs: "2000" })).toBe("other");
});

test("where a side can't be seen nothing is known, and without births the inode has to do", () => {
  expect(compareSlots({ at: 0, identity: undefined }, slot)).toBe("unknown");
  expect(compareSlots(made, null)).toBe("unknown");
  expect(compareSlots({ at: 0, identity: { ...slot, bornNs: "0" } }, slot)).toBe("same");
});

test("of a making that was cut off only a slot of that time may be the one", () => {
  const cutOff = { at: 1_000_000, identity: undefined };
  const bornAt = (ms: number) => ({ inode: "7", bornNs: `${ms}000000` });
  expect(compareSlots(cutOff, bornAt(1_000_500))).toBe("unknown");
  expect(compareSlots(cutOff, bornAt(1_100_000))).toBe("other");
  expect(compareSlots(cutOff, bornAt(900_000))).toBe("other");
  expect(compareSlots(cutOff, { inode: "7", bornNs: "0" })).toBe("unknown");
});
