import { expect, test } from "vitest";
import { likeness } from "#test/matrix/likeness.ts";

const record = (facts: object, operationId: string, at: number) =>
  `600 postgres:postgres, 99 bytes 0123456789ab\n${JSON.stringify({ key: "slot:a", record: { operationId, at, facts } })}\n`;
const ledger = "file /var/lib/castellan-agent/ledger/slot%3Aa.json";
const conf = "file /data/pg_hba.conf";

test("two runs of one operation look alike: ids, moments, inodes and the order of a record's members do not count", () => {
  const one = { [ledger]: record({ forNode: "n", inode: 4711, hash: "a".repeat(64) }, "op-aaaaaaaa", 1795354097733) }; // prettier-ignore
  const other = { [ledger]: record({ hash: "b".repeat(64), forNode: "n", inode: 815 }, "op-bbbbbbbb", 1795354097999) }; // prettier-ignore
  expect(likeness({ n1: one })).toEqual(likeness({ n1: other }));
});

test("what was made counts, and so does every line that is written for it", () => {
  const one = { n1: { [ledger]: record({ forNode: "n" }, "op-aaaaaaaa", 1) } };
  const other = { n1: { [ledger]: record({ forNode: "m" }, "op-aaaaaaaa", 1) } };
  expect(likeness(one)).not.toEqual(likeness(other));
  const before = { n1: { [conf]: "600 a:a, 9 bytes 0123456789ab\n# op-aaaaaaaa\nhost all all 1/32 md5" } }; // prettier-ignore
  const after = { n1: { [conf]: "600 a:a, 9 bytes 0123456789ab\n# op-bbbbbbbb\nhost all all 2/32 md5" } }; // prettier-ignore
  expect(likeness(before)).not.toEqual(likeness(after));
});
