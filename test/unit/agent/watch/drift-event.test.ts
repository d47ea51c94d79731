import { expect, test } from "vitest";
import { driftEvent } from "#agent/watch/drift-event.ts";

const accepted = { hash: "a".repeat(64), text: "host all all 10.0.0.0/8 md5\n" };
const nothing = { hash: null, owner: null, mode: null, modifiedAt: null, maskedText: null };

test.each([
  ["absent", "-host all all 10.0.0.0/8 md5"],
  ["unreadable", null],
  ["not-a-file", null],
  ["too-large", null],
] as const)("of a file that is %s the diff says %j", (state, removed) => {
  const file = { ...nothing, path: "/data/pg_hba.conf", format: "hba", state } as const;
  const { detail, line } = driftEvent(file, accepted, [], 0);
  if (removed !== null) expect(detail).toContain(removed);
  else expect({ detail, line }).toEqual({ detail: "there is nothing to compare with", line: null });
});
