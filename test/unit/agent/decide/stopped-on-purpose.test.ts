import { expect, test } from "vitest";
import { marksAfter } from "#agent/decide/marks-after.ts";
import { rules } from "#agent/decide/rules/table.ts";
import { emptyMemory, noMarks } from "#agent/decide/view.ts";
import type { PeerSight } from "#shared/domain/cluster-view.ts";
import { peer, primary, view } from "./view-builder.ts";

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

test("it ends, too, when this host itself sees a primary later: nothing that was said before the stop counts", () => {
  const after = (sight: Partial<PeerSight>) => {
    const seen = peer("srv129", { database: "primary", from: "own-look", at: 1, ...sight });
    const stopped = primary({ status: "stopped", role: null, hasStandbyMarker: true });
    return marksAfter(view(stopped, { marks: purpose, peers: [seen] }));
  };
  expect(after({})).toEqual({ stopped: null });
  expect(after({ at: 0 })).toBeNull();
  expect(after({ from: "coordinator" })).toBeNull();
  expect(after({ database: "standby" })).toBeNull();
});
