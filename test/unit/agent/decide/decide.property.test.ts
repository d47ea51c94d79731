import fc from "fast-check";
import { expect, test } from "vitest";
import { decide, guardStateWith, type GuardDecision } from "#agent/decide/decide.ts";
import { decisionDraft } from "#agent/decide/decisions.ts";
import { rules } from "#agent/decide/rules/table.ts";
import { emptyMemory, type GuardView } from "#agent/decide/view.ts";
import { Decision } from "#shared/domain/guard.ts";
import { someArchiver } from "#test/unit/database-facts.ts";
import { primary, slot, view, walsender } from "./view-builder.ts";

const receiver = { status: "streaming", slot: "slot_srv129", conninfo: "", timeline: 1 };

/** Any state that a host can be seen in, contradictory ones too. */
const anyView: fc.Arbitrary<GuardView> = fc
  .record({
    status: fc.constantFrom("absent", "stopped", "running", "unreachable"),
    role: fc.constantFrom("primary", "standby", null),
    hasStalePid: fc.boolean(),
    hasStandbyMarker: fc.boolean(),
    hasIncompleteMarker: fc.boolean(),
    problem: fc.option(fc.string({ maxLength: 3_000 })),
    receiver: fc.constantFrom(receiver, { ...receiver, status: "waiting" }, null),
    walsenders: fc.array(fc.constantFrom("srv129", "srv159", "pg_basebackup"), { maxLength: 3 }),
    slots: fc.array(
      fc.record({ name: fc.constantFrom("a", "b"), active: fc.boolean(), retainedBytes: fc.nat() }),
      { maxLength: 3 },
    ),
    failedCount: fc.nat({ max: 3 }),
    backlogBytes: fc.nat({ max: 2 ** 31 - 1 }),
    restart: fc.constantFrom("never", "standbys", "all"),
  })
  .map(({ hasStalePid, walsenders, slots, failedCount, backlogBytes, restart, ...database }) =>
    view(
      primary({
        ...database,
        replication: walsenders.map((name) => walsender(name)),
        slots: slots.map(({ name, ...more }) => slot(name, more)),
        archiver: someArchiver({
          failedCount,
          backlog: { count: 1, bytes: backlogBytes, oldestWal: null, isCut: false },
        }),
      }),
      { hasStalePid, policy: { restart } },
    ),
  );

/** Phases: a state that lasts for some looks, so that findings do open. */
const anyStory = fc
  .array(fc.tuple(anyView, fc.integer({ min: 1, max: 7 })), { minLength: 1, maxLength: 12 })
  .map((phases) => phases.flatMap(([seen, looks]) => Array<GuardView>(looks).fill(seen)));

function timeOf(look: number): number {
  return 1_000_000 + look * 2_000;
}

function tell(views: readonly GuardView[]): readonly (GuardDecision & { seen: GuardView })[] {
  let state = guardStateWith([]);
  return views.map((seen, index) => {
    const decision = decide(state, seen, timeOf(index));
    state = decision.state;
    return { ...decision, seen };
  });
}

test("the same looks give the same decisions", () => {
  fc.assert(
    fc.property(anyStory, (views) => {
      expect(tell(views)).toEqual(tell(views));
    }),
  );
});

test("a finding opens or ends only when as many looks in a row as its rule asks for agree", () => {
  fc.assert(
    fc.property(anyStory, (views) => {
      const told = tell(views);
      for (const [index, { opened, cleared }] of told.entries()) {
        const agreed = (id: string, wanted: boolean): void => {
          const rule = rules.find((one) => one.id === id);
          const looks = told.slice(Math.max(0, index + 1 - (rule?.looks ?? 0)), index + 1);
          expect(looks).toHaveLength(rule?.looks ?? 0);
          for (const [back, { seen, state }] of looks.entries()) {
            const at = timeOf(index + 1 - looks.length + back);
            expect(rule?.when(seen, state.memory, at) !== null).toBe(wanted);
          }
        };
        for (const { rule } of opened) agreed(rule, true);
        for (const { rule } of cleared) agreed(rule, false);
      }
    }),
  );
});

test("while nothing changes, nothing goes back and forth: one turn a rule at the most", () => {
  fc.assert(
    fc.property(anyStory, anyView, (views, last) => {
      const most = Math.max(...rules.map(({ looks }) => looks));
      // Longer than the archiver's silence, which counts time and not looks.
      const told = tell([...views, ...Array<GuardView>(100).fill(last)]).slice(views.length);
      const turns = told.flatMap(({ opened, cleared }) => [...opened, ...cleared]);
      const rest = turns.map(({ rule }) => rule).filter((rule) => rule !== "archiver-failing");
      expect(new Set(rest).size).toBe(rest.length);
      const late = told.slice(most).flatMap(({ opened, cleared }) => [...opened, ...cleared]);
      expect(late.filter(({ rule }) => rule !== "archiver-failing")).toEqual([]);
    }),
  );
});

test("opening and ending take turns, and what is open is what was opened and has not ended", () => {
  fc.assert(
    fc.property(anyStory, (views) => {
      const open = new Set<string>();
      for (const { opened, cleared, findings } of tell(views)) {
        for (const { rule } of opened) {
          expect(open.has(rule)).toBe(false);
          open.add(rule);
        }
        for (const { rule } of cleared) expect(open.delete(rule)).toBe(true);
        expect(new Set(findings.map(({ rule }) => rule))).toEqual(open);
      }
    }),
  );
});

test("a database that answers is never to be started, whatever else is seen", () => {
  fc.assert(
    fc.property(anyStory, (views) => {
      for (const { opened, seen } of tell(views)) {
        for (const { rule } of opened) {
          const steps = rules.find(({ id }) => id === rule)?.steps?.(seen, emptyMemory) ?? [];
          if (steps.length > 0) expect(seen.facts.database.status).toBe("stopped");
        }
      }
    }),
  );
});

test("a former primary is started behind a standby marker or not at all", () => {
  fc.assert(
    fc.property(anyView, (seen) => {
      for (const rule of rules) {
        const steps = (rule.steps?.(seen, emptyMemory) ?? []).map((step) => step.do);
        const start = steps.indexOf("start-database");
        if (start < 0 || seen.facts.database.hasStandbyMarker) continue;
        expect(steps.slice(0, start)).toContain("write-standby-marker");
      }
    }),
  );
});

test("memory does not grow with the looks, and every decision fits the wire", () => {
  const would = { outcome: "would", why: null } as const;
  fc.assert(
    fc.property(anyStory, (views) => {
      for (const told of tell(views)) {
        expect(Object.keys(told.state.rules)).toEqual(rules.map(({ id }) => id));
        expect(JSON.stringify(told.state.memory).length).toBeLessThan(500);
        for (const rule of rules) {
          const finding = told.opened.find((opened) => opened.rule === rule.id);
          if (finding === undefined) continue;
          const steps = [...(rule.steps?.(told.seen, told.state.memory) ?? [])];
          const draft = decisionDraft(finding, rule, { steps, ...would }, told, told.seen);
          Decision.parse({ id: "1", at: 1, node: "srv129", ...draft });
        }
      }
    }),
  );
});
