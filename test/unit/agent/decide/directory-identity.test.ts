import { expect, test } from "vitest";
import { isSameDirectory } from "#agent/decide/directory-identity.ts";

const made = { device: 1, inode: 7, bornNs: "1000" };

test("a directory is the one that was made by device, inode and time of birth", () => {
  expect(isSameDirectory(made, made)).toBe(true);
  expect(isSameDirectory({ ...made, device: 2 }, made)).toBe(false);
  expect(isSameDirectory({ ...made, inode: 8 }, made)).toBe(false);
  // An inode is given out again at once.
  expect(isSameDirectory({ ...made, bornNs: "2000" }, made)).toBe(false);
});

test("where the file system keeps no time of birth, device and inode have to do", () => {
  const unborn = { ...made, bornNs: "0" };
  expect(isSameDirectory(unborn, unborn)).toBe(true);
  expect(isSameDirectory(made, unborn)).toBe(true);
  expect(isSameDirectory({ ...unborn, inode: 8 }, unborn)).toBe(false);
});
