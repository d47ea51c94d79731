import fc from "fast-check";
import { expect, test } from "vitest";
import { commitsWait, ownCommits, satisfying } from "#agent/decide/commits.ts";
import { decide, guardStateWith } from "#agent/decide/decide.ts";
import { judge, type Act } from "#agent/decide/gate.ts";
import { rules } from "#agent/decide/rules/table.ts";
import { noMarks, type GuardView } from "#agent/decide/view.ts";
import type { GuardStep } from "#shared/domain/guard.ts";
import { bothPools, synchronousPrimary } from "./synchronous-views.ts";
import { peer, threeNodes, view, walsender } from "./view-builder.ts";

/** What the world is at one look; the list is what the guard has left. */
const anyLook = fc.record({
  srv129: fc.constantFrom("streaming", "streaming", "catchup", "gone"),
  srv159: fc.constantFrom("streaming", "gone", "gone"),
  row129: fc.constantFrom("up", "down", "down", "waiting"),
  row159: fc.constantFrom("up", "down", "down", "quarantine"),
  pool: fc.constantFrom("answers", "answers", "silent"),
  looks: fc.integer({ min: 1, max: 6 }),
});
type Look = typeof anyLook extends fc.Arbitrary<infer T> ? T : never;
const anyList = fc.constantFrom("1 (srv129, srv159)", "2 (srv129, srv159)", "ANY 2 (*)", "srv129");

const lookEveryMs = 2_000;

type Change = { readonly step: GuardStep; readonly seen: GuardView; readonly at: number };

/** The primary's guard in charge: each `synchronous` step takes effect before the next look. */
function changes(
  first: string,
  looks: readonly Look[],
): { readonly made: Change[]; readonly waited: number } {
  let names = first;
  let before: string | null = null;
  let state = guardStateWith([]);
  let at = 1_000_000;
  let waited = 0;
  const acts = new Map<string, Act[]>();
  const made: Change[] = [];
  for (const look of looks.flatMap((one) => Array.from({ length: one.looks }, () => one))) {
    at += lookEveryMs;
    const seen = viewOf(look, names, before, at);
    const decided = decide(state, seen, at);
    state = decided.state;
    const primary = ownCommits(seen);
    if (primary !== null && commitsWait(primary)) waited += 1;
    for (const { rule: id } of decided.findings) {
      const rule = rules.find((one) => one.id === id);
      if (rule?.class !== "sync" || rule.when(seen, state.memory, at) === null) continue;
      const steps = rule.steps?.(seen, state.memory) ?? [];
      const done = acts.get(id) ?? [];
      const mode = { mode: "enforce", until: null, by: null, note: null } as const;
      const input = { rule, steps, view: seen, memory: state.memory, mode, now: at, elapsedMs: at, runsForMs: at, reservations: [], acts: done, laneBusyWith: null }; // prettier-ignore
      if (steps.length === 0 || !judge(input).act) continue;
      acts.set(id, [...done, { begunMs: at, endedMs: at, hasFailed: false }]);
      for (const step of steps) {
        if (step.do !== "synchronous") continue;
        made.push({ step, seen, at });
        before = step.names === first ? null : first;
        names = step.names;
      }
    }
  }
  return { made, waited };
}

function viewOf(
  look: Look,
  names: string,
  synchronousBefore: string | null,
  at: number,
): GuardView {
  const states = [["srv129", look.srv129], ["srv159", look.srv159]] as const; // prettier-ignore
  const streaming = states.flatMap(([name, state]) => (state === "gone" ? [] : [walsender(name, state)])); // prettier-ignore
  return view(synchronousPrimary(names, streaming), {
    cluster: threeNodes(),
    peers: states.map(([name, state]) => peer(name, state === "gone" ? { database: "refused", upstream: null, timeline: null } : {})), // prettier-ignore
    pools: bothPools(look.row129, look.row159).map((pool, index) =>
      index === 1 && look.pool === "silent" ? { ...pool, status: "silent", rows: [] } : pool,
    ),
    marks: { ...noMarks, synchronousBefore },
    elapsedMs: at,
  });
}

test("a list asks for fewer only where fewer stream, and where no pool may promote who left", () => {
  let reduced = 0;
  fc.assert(
    fc.property(anyList, fc.array(anyLook, { maxLength: 30 }), (first, looks) => {
      for (const { step, seen } of changes(first, looks).made) {
        const primary = ownCommits(seen);
        if (step.do !== "synchronous" || primary === null) continue;
        if (step.names === "") expect(satisfying(primary, primary.names)).toBe(0);
        if (step.notPromotable.length === 0) continue;
        reduced += 1;
        for (const { status, rows } of seen.pools) {
          expect(status).toBe("answers");
          const left = rows.filter(({ id }) => step.notPromotable.includes(["srv127", "srv129", "srv159"][id] ?? "")); // prettier-ignore
          expect(left.map((row) => row.status)).toEqual(step.notPromotable.map(() => "down"));
        }
      }
    }),
    { numRuns: 500 },
  );
  expect(reduced).toBeGreaterThan(0);
});

test("a standby that flaps is given up for a while, and never leaves commits waiting", () => {
  const flaps = Array.from({ length: 80 }, (_, index): Look => {
    const state = index % 2 === 0 ? "gone" : "streaming";
    return { srv129: state, srv159: "gone", row129: "down", row159: "down", pool: "answers", looks: 6 }; // prettier-ignore
  });
  const { made, waited } = changes("1 (srv129, srv159)", flaps);
  // 80 times 12 s; four returns within any ten minutes.
  const windows = made.map(({ at }) => made.filter((other) => other.at >= at && other.at < at + 600_000).length); // prettier-ignore
  expect(Math.max(...windows)).toBeLessThanOrEqual(9);
  expect(made.length).toBeGreaterThan(9);
  // Each loss costs its three looks, and no more.
  const losses = made.filter(({ step }) => step.do === "synchronous" && step.names === "").length;
  expect(waited).toBeLessThanOrEqual(3 * losses);
});
