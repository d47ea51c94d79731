import fc from "fast-check";
import { expect, test } from "vitest";
import { judge, mustBeRecorded, stopsWhile, type Act, type GateInput } from "#agent/decide/gate.ts";
import { emptyMemory, noMarks } from "#agent/decide/view.ts";
import type { GuardMode, GuardStep } from "#shared/domain/guard.ts";
import { primary, threeNodes, view } from "./view-builder.ts";

const enforce: GuardMode = { mode: "enforce", until: null, by: "dba", note: null };
const start: GuardStep = { do: "start-database" };
const leaving: GuardStep = { do: "synchronous", names: "", notPromotable: ["srv129"] };
const seen = view(primary(), { policy: { actions: { most: 3, withinMs: 600_000 } } });

/** In charge, and nothing speaks against it; a test shows only what differs. */
function input(more: Partial<GateInput> = {}): GateInput {
  return {
    rule: { class: "database" },
    steps: [start],
    view: seen,
    memory: emptyMemory,
    mode: enforce,
    now: 1_000_000,
    elapsedMs: 500_000,
    runsForMs: 60_000,
    reservations: [],
    acts: [],
    laneBusyWith: null,
    ...more,
  };
}

function act(endedMs: number | null, hasFailed = false, begunMs = endedMs ?? 0): Act {
  return { begunMs, endedMs, hasFailed };
}

type Shut = readonly [gate: string, why: string, shut: (open: GateInput) => GateInput];
const alone = { coordinatorConnected: false, cluster: threeNodes({ poolKind: "none" }) };
const purpose = { ...noMarks, stopped: { at: 1, pid: 7 } };
const disks = { mode: "maintenance", until: 3_600_000, by: "dba", note: "disks" } as const;

/** What shuts each gate, in the order in which they are asked. */
const shut: readonly Shut[] = [
  ["observe", "only observes", (i) => ({ ...i, mode: { ...enforce, mode: "observe" } })],
  [
    "maintenance",
    "maintenance until 1970-01-01T01:00:00.000Z, by dba (disks)",
    (i) => ({ ...i, mode: disks }),
  ],
  ["stopped", "stopped on purpose", (i) => ({ ...i, view: { ...i.view, marks: purpose } })],
  ["settle", "9 s ago", (i) => ({ ...i, runsForMs: 9_000, view: { ...i.view, ...alone } })],
  ["vendor", "cron", (i) => ({ ...i, view: { ...i.view, vendorAtWork: "cron is active" } })],
  [
    "reserved",
    "op-a works on this node (database)",
    (i) => ({ ...i, reservations: [{ class: "database", by: "op-a" }] }),
  ],
  ["witness", "nobody else sees", (i) => ({ ...i, rule: { ...i.rule, witness: () => null } })],
  ["limit", "3 times within 600 s", (i) => ({ ...i, acts: [act(1), act(2), act(3)] })],
  ["rest", "again from 1970-01-01T00:16:44.000Z", (i) => ({ ...i, acts: [act(499_000)] })],
  [
    "record",
    "the coordinator has to record",
    (i) => ({ ...i, steps: [leaving], view: { ...i.view, ...alone } }),
  ],
  ["lane", "after another", (i) => ({ ...i, laneBusyWith: "another" })],
];

test("with nothing against it a finding's steps are done", () => {
  expect(judge(input())).toEqual({ act: true });
});

test.each(shut)("gate %s: %s", (gate, why, close) => {
  expect(judge(close(input()))).toMatchObject({
    act: false,
    gate,
    why: expect.stringContaining(why),
  });
});

test("the first gate that is shut has the word, whatever else is", () => {
  const indices = fc.uniqueArray(fc.nat({ max: shut.length - 1 }), { minLength: 1 });
  fc.assert(
    fc.property(indices, (chosen) => {
      const order = chosen.toSorted((a, b) => a - b);
      // Two of them may be about the same thing: the first one's holds.
      const closed = order.reduceRight((open, index) => shut[index]?.[2](open) ?? open, input());
      expect(judge(closed)).toMatchObject({ act: false, gate: shut[order[0] ?? 0]?.[0] });
    }),
  );
});

test("a look that has heard of a coordinator needs no time to settle", () => {
  expect(judge(input({ runsForMs: 0 }))).toEqual({ act: true });
  expect(judge(input({ runsForMs: 10_000, view: { ...seen, ...alone } }))).toEqual({ act: true });
});

test("what was stopped on purpose still drops a virtual address", () => {
  const view = { ...seen, marks: purpose };
  expect(judge(input({ view, rule: { class: "vip" } }))).toEqual({ act: true });
});

test("a reservation of another class keeps nothing back", () => {
  const reservations = [{ class: "pool", by: "op-a" }] as const;
  expect(judge(input({ reservations }))).toEqual({ act: true });
});

test("after failures in a row the wait doubles from 5 s up to 5 min, and one success ends that", () => {
  const waits = (acts: readonly Act[]): number => {
    const most = { most: 1_000, withinMs: 3_600_000 };
    const patient = { ...seen, policy: { ...seen.policy, actions: most } };
    const at = (elapsedMs: number) => judge(input({ acts, elapsedMs, view: patient })).act;
    return [0, 5, 10, 20, 40, 80, 160, 300, 301].findIndex((s) => at(100_000 + s * 1_000));
  };
  const failed = (times: number) => Array.from({ length: times }, () => act(100_000, true));
  expect([1, 2, 3, 4, 5, 6, 7, 50].map((times) => waits(failed(times)))).toEqual([1, 2, 3, 4, 5, 6, 7, 7]); // prettier-ignore
  expect(waits([...failed(6), act(100_000)])).toBe(1);
  expect(waits([...failed(6), act(100_000), act(100_000, true)])).toBe(1);
});

test("however acts were spread, no more than the limit are begun within its time", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 60 }), (pauses) => {
      const acts: Act[] = [];
      let elapsedMs = 0;
      for (const pause of pauses) {
        elapsedMs += pause;
        if (judge(input({ acts, elapsedMs })).act) acts.push(act(elapsedMs, acts.length % 3 === 0));
      }
      for (const { begunMs } of acts) {
        const within = acts.filter((one) => one.begunMs >= begunMs && one.begunMs < begunMs + 600_000); // prettier-ignore
        expect(within.length).toBeLessThanOrEqual(3);
      }
    }),
  );
});

test("a mode that ends and a reservation that comes stop what is under way before its next step", () => {
  const going = { rule: { class: "role" } as const, mode: enforce, reservations: [], vendorAtWork: null }; // prettier-ignore
  expect(stopsWhile(going)).toBeNull();
  expect(stopsWhile({ ...going, mode: { ...enforce, mode: "maintenance" } })).toMatch(
    /maintenance/,
  );
  expect(stopsWhile({ ...going, vendorAtWork: "a line" })).toBe("a line");
  expect(stopsWhile({ ...going, reservations: [{ class: "role", by: "op-a" }] })).toMatch(/op-a/);
});

test("only where no pool knows of a standby that left has the coordinator to record it first", () => {
  const noPool = { ...seen, cluster: threeNodes({ poolKind: "none" }) };
  expect(mustBeRecorded([leaving], noPool)).toBe(true);
  expect(mustBeRecorded([leaving], { ...seen, cluster: threeNodes() })).toBe(false);
  expect(mustBeRecorded([{ ...leaving, notPromotable: [] }], noPool)).toBe(false);
});

test("a row that others count on waits for no rest, no limit, no settling and no operation; for a person and the vendor it does", () => {
  const waitsFor = ["settle", "reserved", "limit", "rest"];
  for (const [gate, , close] of shut) {
    const promised = input({ rule: { class: "database", isPromised: true } });
    expect([gate, judge(close(promised)).act]).toEqual([gate, waitsFor.includes(gate)]);
  }
  const reservations = [{ class: "database", by: "op-a" }] as const;
  const rule = { class: "database", isPromised: true } as const;
  expect(stopsWhile({ mode: enforce, rule, vendorAtWork: null, reservations })).toBeNull();
});
