import { expect, test } from "vitest";
import {
  addToSyncList,
  askingFor,
  hasSyncName,
  parseSyncList,
  removeFromSyncList,
  requiredStandbys,
  syncListOf,
} from "#shared/domain/sync-list.ts";

test("every form of the list is understood", () => {
  expect(parseSyncList("")).toEqual({ kind: "none" });
  expect(parseSyncList(" * ")).toEqual({ kind: "any" });
  expect(parseSyncList("FIRST 1 (*)")).toEqual({ kind: "any" });
  expect(parseSyncList("1(a)")).toMatchObject({ kind: "list", names: ["a"] });
  expect(parseSyncList('ANY 2 (a,"b-c", d)')).toMatchObject({ names: ["a", "b-c", "d"] });
  expect(parseSyncList("a, b")).toMatchObject({ head: "", names: ["a", "b"] });
  for (const broken of ["1 (a", "a b", "1 ()", "a,", "x (a)"]) {
    expect(parseSyncList(broken), broken).toEqual({ kind: "broken" });
  }
});

test("a name is added at the end, in the list's own writing", () => {
  expect(addToSyncList("1 (srv127, srv129)", "srv159")).toBe("1 (srv127, srv129, srv159)");
  expect(addToSyncList("2 (a,b)", "c")).toBe("2 (a,b,c)");
  expect(addToSyncList("1(a)", "c")).toBe("1(a, c)");
  expect(addToSyncList("ANY 1 (a)", "c-d")).toBe('ANY 1 (a, "c-d")');
  expect(addToSyncList("a", "b")).toBe("a, b");
});

test("a name that is in the list, in whatever case, is not added again", () => {
  expect(addToSyncList("1 (A, b)", "a")).toBe("1 (A, b)");
  expect(hasSyncName(parseSyncList("1 (A)"), "a")).toBe(true);
});

test("no list becomes none", () => {
  for (const value of ["", "*", "1 (a"]) expect(addToSyncList(value, "b")).toBe(value);
});

test("a list says how many standbys a commit waits for, and can ask for fewer", () => {
  const asked = ["", "a, b", "*", "2 (a, b)", "FIRST 2 (a12, b)", "any 3(a,b,c)", "2 (*)", "2 (a"];
  expect(asked.map(requiredStandbys)).toEqual([0, 1, 1, 2, 2, 3, 2, null]);
  expect(askingFor("FIRST 2 (a12, b2)", 1)).toBe("FIRST 1 (a12, b2)");
  expect(askingFor("any 3(a,b,c)", 2)).toBe("any 2(a,b,c)");
  expect(askingFor("a, b", 0)).toBe("");
  expect(syncListOf(1, ["srv127", "srv-129"])).toBe('1 (srv127, "srv-129")');
});

test("a name is taken out, and the rest stays as it is written", () => {
  expect(removeFromSyncList("1 (srv127, srv129)", "SRV129")).toBe("1 (srv127)");
  expect(removeFromSyncList("ANY 1 (a,b,c)", "b")).toBe("ANY 1 (a,c)");
  expect(removeFromSyncList("a, b", "c")).toBe("a, b");
  expect(removeFromSyncList("1 (a)", "a")).toBe("");
  expect(removeFromSyncList("*", "a")).toBe("*");
});
