import { expect, test } from "vitest";
import { judgeFence, type FenceInput } from "#agent/decide/fence.ts";

/** The host of a primary that was switched off under it, in charge of its guard. */
const formerPrimary: FenceInput = {
  isInCharge: true,
  wasPrimary: true,
  directory: "database",
  serverPid: null,
  hasStandbyMarker: false,
  isOpening: false,
};

test("a former primary is fenced before it may start", () => {
  expect(judgeFence(formerPrimary)).toEqual({
    do: "write-marker",
    why: "it was a primary, and another one may have taken its place since",
  });
});

test.each<[string, Partial<FenceInput>]>([
  ["its server runs", { serverPid: 4711 }],
  ["there is no data directory", { directory: "absent" }],
  ["its data directory holds no database", { directory: "no-database" }],
  ["it starts as a standby anyway", { hasStandbyMarker: true }],
  ["the guard only observes", { isInCharge: false }],
  ["no primary was ever seen in it", { wasPrimary: false }],
  ["the guard opens it right now", { isOpening: true }],
])("nothing is written where %s", (_where, more) => {
  expect(judgeFence({ ...formerPrimary, ...more }).do).toBe("leave");
});

test("a copy that was never finished may not be started, whoever is in charge and whatever lies in it", () => {
  for (const isInCharge of [true, false]) {
    for (const hasStandbyMarker of [true, false]) {
      const input = { ...formerPrimary, directory: "incomplete" as const, isInCharge, hasStandbyMarker }; // prettier-ignore
      expect(judgeFence(input).do).toBe("refuse");
    }
  }
});

test("a server that runs is left alone even where its directory still bears the marker of a copy", () => {
  expect(judgeFence({ ...formerPrimary, directory: "incomplete", serverPid: 4711 }).do).toBe("leave"); // prettier-ignore
});
