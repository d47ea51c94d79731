import { expect, test } from "vitest";
import { marksAfter } from "#agent/decide/marks-after.ts";
import { rules } from "#agent/decide/rules/table.ts";
import { emptyMemory, noMarks } from "#agent/decide/view.ts";
import { primary, view } from "./view-builder.ts";

const purpose = { ...noMarks, stopped: { at: 0, pid: 7 }, ranInBoot: "another boot" };
const memory = { ...emptyMemory, ranAt: 1, hadPool: true };

test("nobody misses what was stopped on purpose, after a boot neither", () => {
  const open = (marks: typeof noMarks): readonly string[] => {
    const seen = view(primary({ status: "stopped", role: null, hasStandbyMarker: true }), { marks });
    return rules.filter(({ when }) => when(seen, memory, 2) !== null).map(({ id }) => id);
  }; // prettier-ignore
  expect(open({ ...purpose, stopped: null })).toEqual(["database-not-started", "database-stopped"]);
  expect(open(purpose)).toEqual(["stopped-on-purpose"]);
});

test("the mark outlives a last look at the server that is stopped, and no other server", () => {
  const after = (pid: number, ranInBoot: string | null) =>
    marksAfter(view(primary({ postmasterPid: pid }), { marks: { ...purpose, ranInBoot } }));
  const { bootId } = view(primary()).facts.host;
  expect(after(7, bootId)).toBeNull();
  expect(after(8, bootId)).toMatchObject({ stopped: null });
  expect(after(7, "another boot")).toMatchObject({ stopped: null });
});
