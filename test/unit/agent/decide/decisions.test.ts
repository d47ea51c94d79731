import { expect, test } from "vitest";
import { decide, guardStateWith } from "#agent/decide/decide.ts";
import { clearedDrafts, decisionDraft } from "#agent/decide/decisions.ts";
import { rules } from "#agent/decide/rules/table.ts";
import type { GuardView } from "#agent/decide/view.ts";
import { Decision, mostInputs } from "#shared/domain/guard.ts";
import { peer, primary, slot, view, walsender } from "./view-builder.ts";

const dead = view(
  primary({ status: "stopped", role: null, hasStandbyMarker: true, problem: "gone" }),
  { hasStalePid: true },
);

function decided(seen: GuardView, from = guardStateWith([])) {
  const answer = decide(from, seen, 1_000);
  const opened = answer.opened.flatMap((finding) => {
    const rule = rules.find(({ id }) => id === finding.rule);
    if (rule === undefined) return [];
    const steps = [...(rule.steps?.(seen, answer.state.memory) ?? [])];
    return [decisionDraft(finding, rule, { steps, outcome: "would", why: null }, answer, seen)];
  });
  const drafts = [...opened, ...clearedDrafts(answer, seen)];
  // What is made always fits the wire.
  for (const draft of drafts) Decision.parse({ id: "1", at: 1, node: "srv129", ...draft });
  return { drafts, state: answer.state };
}

test("a finding that opens is a decision with its steps and the facts that it looked at", () => {
  const [made] = decided(dead).drafts;
  expect(made).toMatchObject({
    rule: "database-dead",
    class: "database",
    steps: [{ do: "start-database" }],
    outcome: "would",
    why: null,
    evidence: "gone",
  });
  expect(JSON.parse(made?.inputs ?? "")).toMatchObject({
    database: { status: "stopped", hasStalePid: true, hasStandbyMarker: true },
  });
});

test("a decision keeps what was known of the other nodes, of the pools, and of this host's past", () => {
  const peers = [peer("srv127", { database: "primary", timeline: 2, problem: "p".repeat(500) })];
  const rows = [{ id: 0, hostname: "srv127", port: 5432, status: "up", role: "primary", weight: 0.5 }]; // prettier-ignore
  const pools = [{ node: "srv127", at: 1, status: "answers" as const, rows, problem: null }];
  const marks = { ...dead.marks, wasPrimary: { at: 1, timeline: 1 } };
  const [made] = decided({ ...dead, peers, pools, marks }).drafts;
  expect(JSON.parse(made?.inputs ?? "")).toMatchObject({
    marks: { wasPrimary: { at: 1, timeline: 1 } },
    peers: [{ node: "srv127", from: "own-look", seen: "primary", timeline: 2, problem: "p".repeat(200) }], // prettier-ignore
    pools: [{ node: "srv127", status: "answers", rows: ["0 up primary"] }],
  });
});

test("a finding that is over is a decision too, and a look that changes nothing is none", () => {
  const opened = decided(dead);
  expect(decided(dead, opened.state).drafts).toEqual([]);
  expect(decided(view(primary()), opened.state).drafts).toMatchObject([
    { rule: "database-dead", outcome: "cleared", steps: [] },
  ]);
});

test("the facts of a decision stay small however much there is to see, and what matters most stays", () => {
  const many = Array.from({ length: 200 }, (_, i) => `${i}${"x".repeat(50)}`);
  const { drafts } = decided({
    ...dead,
    facts: {
      ...dead.facts,
      database: {
        ...dead.facts.database,
        problem: "p".repeat(100_000),
        replication: many.map((name) => walsender(name)),
        slots: many.map((name) => slot(name)),
      },
    },
  });
  const [{ inputs } = { inputs: "" }] = drafts;
  expect(inputs.length).toBeLessThanOrEqual(mostInputs);
  expect(JSON.parse(inputs)).toMatchObject({ database: { status: "stopped" } });
});
