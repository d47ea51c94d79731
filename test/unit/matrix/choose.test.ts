import { expect, test } from "vitest";
import { chooseStrikes, everyNth, everyPoint, spread } from "#test/matrix/choose.ts";
import { strikeName, type Recording } from "#test/matrix/strike.ts";

/** The course of one command, as an agent's log has it. */
const course = (kind: string, phase: "run" | "undo", ...inside: readonly string[]) => [
  `file:renamed:commands/receive-${phase}:${kind}`,
  `agent:received:${phase}:${kind}`,
  ...inside.map((point) => `${point}/${phase}:${kind}`),
  `agent:ending:${phase}:${kind}`,
  `agent:ended:${phase}:${kind}`,
];

const recording: Recording = {
  run: {
    coordinator: [
      "runner:operation-created",
      "runner:step-started:create-slot",
      "runner:step-done:create-slot",
      "runner:step-started:create-slot",
      "runner:step-done:create-slot",
    ],
    srv127: [
      ...course("probe-reach", "run"),
      ...course("create-slot", "run", "file:renamed:ledger", "step:noted:slot", "step:slot-made"),
    ],
    srv129: course(
      "create-slot",
      "run",
      "file:renamed:ledger",
      "step:noted:slot",
      "step:slot-made",
    ),
  },
  undo: {
    coordinator: ["runner:undo-started:create-slot", "runner:undo-done:create-slot"],
    srv127: course("create-slot", "undo", "step:slot-dropped"),
    srv129: course("create-slot", "undo", "step:slot-dropped"),
  },
  preflightKinds: ["probe-reach"],
};
const names = chooseStrikes(recording).map(strikeName);

test("the coordinator is struck at each of its points in both modes: first at the first time, then at the last", () => {
  for (const point of recording.run["coordinator"] ?? []) {
    const times = recording.run["coordinator"]?.filter((other) => other === point).length;
    expect(names).toContain(`coordinator ${point}@1 resume`);
    expect(names).toContain(`coordinator ${point}@${times} abort`);
  }
});

test("an agent is struck inside its steps in both modes, another agent at the same point in one", () => {
  for (const point of ["step:noted:slot/run:create-slot", "step:slot-made/run:create-slot"]) {
    expect(names).toContain(`srv127 ${point}@1 resume`);
    expect(names).toContain(`srv127 ${point}@1 abort`);
    expect(names.filter((name) => name.startsWith(`srv129 ${point}`))).toHaveLength(1);
  }
});

test("around each command an agent is struck once in each mode, and the points of that course take turns", () => {
  const around = names.filter((name) =>
    /(?:agent:|:commands\/).*:create-slot@1 (?:resume|abort)/.test(name),
  );
  expect(around).toHaveLength(4);
  expect(new Set(around.map((name) => name.split(" ")[1])).size).toBe(4);
});

test("what is reached before there is an operation is struck once an agent, and so is each kind of small file", () => {
  expect(names.filter((name) => name.endsWith("preflight"))).toHaveLength(1);
  expect(names.filter((name) => name.includes("file:renamed:ledger"))).toHaveLength(1);
});

test("points of the rollback are struck in the rollback only", () => {
  const back = names.filter((name) => /undo[-:]/.test(name));
  expect(back.every((name) => name.endsWith(" undo"))).toBe(true);
  for (const agent of ["srv127", "srv129"]) {
    expect(back).toContain(`${agent} step:slot-dropped/undo:create-slot@1 undo`);
  }
});

test("every nth of them is spread over all modes", () => {
  const modes = everyNth(chooseStrikes(recording), 3).map(({ mode }) => mode);
  expect(new Set(modes)).toEqual(new Set(["resume", "abort", "undo"]));
});

test("the order of the runs begins with a little of everything and leaves none out", () => {
  const all = chooseStrikes(recording);
  const ordered = spread(all);
  expect(ordered.map(strikeName).toSorted()).toEqual(names.toSorted());
  expect(new Set(ordered.slice(0, 10).map(({ mode }) => mode)).size).toBeGreaterThan(2);
});

test("no run is chosen twice", () => {
  expect(new Set(names).size).toBe(names.length);
});

test("of a short operation every point is struck in every mode, those of the rollback in its own", () => {
  const all = everyPoint(recording).map(strikeName);
  for (const mode of ["resume", "abort", "power-off", "power-off-abort"]) {
    expect(all).toContain(`srv127 step:slot-made/run:create-slot@1 ${mode}`);
    expect(all).toContain(`coordinator runner:operation-created@1 ${mode}`);
  }
  expect(all).toContain("coordinator runner:step-done:create-slot@2 abort");
  expect(all).toContain("srv127 step:slot-dropped/undo:create-slot@1 undo");
  expect(new Set(all).size).toBe(all.length);
});
