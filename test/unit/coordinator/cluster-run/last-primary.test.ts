import fc from "fast-check";
import { expect, test } from "vitest";
import { lastPrimary } from "#coordinator/operations/cluster-run/last-primary.ts";
import type { ClusterSituation } from "#coordinator/operations/cluster-run/situation.ts";
import { stoppedAs } from "#coordinator/operations/cluster-run/request.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { addFollower, changeAgent } from "../switchover/scene.ts";
import { changeDatabase } from "../world.ts";
import { runningWorld, situationOf, stoppedWorld, type Controls } from "./scene.ts";

const told = (situation: ClusterSituation): string => {
  const last = lastPrimary(situation);
  return "node" in last ? `${last.is} ${last.node.declared.name}` : `${last.is}: ${last.because}`;
};
const primary = { state: "shut down" };
const recorded = { primary: "srv127", timeline: 3 };

test("a primary that runs is the primary, and two that run are nobody's to choose from", () => {
  const world = runningWorld();
  expect(told(situationOf(world))).toBe("running srv127");
  changeDatabase(world, "srv129", { role: "primary" });
  expect(told(situationOf(world))).toContain("disputed: srv127, srv129 run as primaries");
});

test.each<readonly [string, Controls, string]>([
  ["stopped cleanly", { srv127: primary, srv129: {} }, "proven srv127"],
  ["ended without a stop", { srv127: { state: "in production" }, srv129: {} }, "proven srv127"],
  ["the standby has a part of a page more", { srv127: primary, srv129: { end: "0/5001000" } }, "proven srv127"], // prettier-ignore
  ["the standby has more", { srv127: primary, srv129: { end: "0/6000000" } }, "disputed: srv129 has more WAL than srv127"], // prettier-ignore
  ["both were primaries", { srv127: primary, srv129: primary }, "disputed: srv127 (shut down at 0/5000028) and srv129"], // prettier-ignore
  ["one was a primary before the other", { srv127: primary, srv129: { ...primary, timeline: 4 } }, "proven srv129"], // prettier-ignore
  ["a standby has followed somebody newer", { srv127: primary, srv129: { timeline: 4 } }, "missing: of the nodes that are seen none was the primary on timeline 4"], // prettier-ignore
  ["only standbys", { srv127: {}, srv129: {} }, "missing: of the nodes that are seen none was the primary on timeline 3"], // prettier-ignore
  ["one can't be read", { srv127: primary, srv129: null }, "missing: srv127 may have been followed by another primary; nothing is known of srv129"], // prettier-ignore
])("%s", (_title, controls, outcome) => {
  expect(told(situationOf(stoppedWorld(), controls))).toContain(outcome);
});

test("what the stop of the cluster has recorded proves it while a host is off, as long as nothing differs", () => {
  const world = stoppedWorld();
  changeAgent(world, "srv129", { connected: false });
  expect(told(situationOf(world, { srv127: primary }, recorded))).toBe("proven srv127");
  expect(told(situationOf(world, { srv127: primary }, { ...recorded, timeline: 2 }))).toMatch(/^missing/); // prettier-ignore
  expect(told(situationOf(world, { srv127: { state: "in production" } }, recorded))).toMatch(/^missing/); // prettier-ignore
  expect(told(situationOf(world, { srv127: primary }, { ...recorded, primary: "srv129" }))).toMatch(/^missing/); // prettier-ignore
});

test("only the newest operation's record counts, and only of a stop that went through", () => {
  const stop = { kind: "cluster-stop", state: "succeeded", requestedAt: 2, startedAt: 2, plan: { premise: { ...recorded, systemIdentifier: "7" } } }; // prettier-ignore
  const before = { ...stop, kind: "switchover", requestedAt: 1 };
  const after = { ...before, requestedAt: 3 };
  // Of an operation's record it reads these alone.
  const of = (...all: readonly object[]) => stoppedAs(all as readonly OperationRecord[]);
  expect(of(before, stop)).toEqual(recorded);
  expect(of(stop, after)).toBeNull();
  expect(of({ ...stop, state: "paused" })).toBeNull();
  expect(of()).toBeNull();
});

test("whatever is seen, one is proven only if nobody is on a newer timeline and nobody is missing without a record", () => {
  const one = fc.record({
    state: fc.constantFrom("shut down", "in production", "shut down in recovery"),
    timeline: fc.integer({ min: 1, max: 3 }),
    end: fc.constantFrom("0/50000A0", "0/7000000"),
    isAway: fc.boolean(),
  });
  fc.assert(
    fc.property(one, one, one, (...three) => {
      const world = stoppedWorld({});
      const wider = addFollower(world, { isStreaming: false });
      const names = wider.declaration.nodes.map(({ name }) => name);
      for (const [index, name] of names.entries()) {
        changeDatabase(wider, name, { status: "stopped", role: null });
        if (three[index]?.isAway === true) changeAgent(wider, name, { connected: false });
      }
      const controls = Object.fromEntries(names.map((name, index) => [name, three[index] ?? null]));
      const last = lastPrimary(situationOf(wider, controls));
      if (last.is !== "proven") return;
      const seen = three.filter(({ isAway }) => !isAway);
      expect(seen.length).toBe(3);
      expect(last.timeline).toBe(Math.max(...seen.map(({ timeline }) => timeline)));
      const could = seen.filter((s) => s.timeline === last.timeline && !s.state.includes("recovery")); // prettier-ignore
      expect(could.length).toBe(1);
    }),
  );
});
