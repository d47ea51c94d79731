import { expect, test } from "vitest";
import { backlogOf } from "#agent/observe/archive-backlog.ts";

const segment = 16 * 1024 * 1024;

test("what waits for the archiver is counted, its oldest segment by position, not by timeline", () => {
  const names = [
    "000000010000000000000005.done",
    "000000020000000000000006.ready",
    "000000010000000100000001.ready",
    "00000002.history.ready",
  ];
  expect(backlogOf(names, segment)).toEqual({
    count: 3,
    bytes: 2 * segment,
    oldestWal: "000000020000000000000006",
    isCut: false,
  });
  expect(backlogOf([], segment)).toEqual({ count: 0, bytes: 0, oldestWal: null, isCut: false });
});
