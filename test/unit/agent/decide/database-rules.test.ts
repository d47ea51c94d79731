import { expect, test } from "vitest";
import { decide, guardStateWith } from "#agent/decide/decide.ts";
import { rules } from "#agent/decide/rules/table.ts";
import { noMarks, type GuardMarks, type GuardView } from "#agent/decide/view.ts";
import { peer, primary, threeNodes, view } from "./view-builder.ts";

const standby = view(primary({ role: "standby", hasStandbyMarker: true }));
const dead = view(
  primary({ status: "stopped", role: null, postmasterPid: null, hasStandbyMarker: true }),
  { hasStalePid: true },
);

/** Looks at these seconds: what is found of a dead database at the last one, and would be done. */
function tell(looks: readonly (readonly [second: number, seen: GuardView])[]) {
  let state = guardStateWith([]);
  let last: GuardView = standby;
  for (const [second, seen] of looks) {
    last = { ...seen, elapsedMs: second * 1_000 };
    state = decide(state, last, second * 1_000).state;
  }
  const row = rules.find(({ id }) => id === "database-dead");
  return {
    isFlapping: (state.rules["database-flapping"]?.finding ?? null) !== null,
    steps: (row?.steps?.(last, state.memory) ?? []).map((step) => step.do),
  };
}

test("a dead standby is started again, also when it dies a second time", () => {
  const again = [[0, standby], [1, dead], [3, standby], [10, dead]] as const; // prettier-ignore
  expect(tell(again)).toEqual({ isFlapping: false, steps: ["start-database"] });
});

test("a primary that a failover has fenced since it died is started once another one leads, and no sooner", () => {
  const marks: GuardMarks = { ...noMarks, wasPrimary: { at: 0, timeline: 1 }, fencedAt: 2_000 };
  const leads = peer("srv129", { database: "primary", timeline: 2 });
  const fenced = { ...dead, marks, cluster: threeNodes() };
  const running = view(primary());
  expect(tell([[0, running], [3, fenced]]).steps).toEqual([]); // prettier-ignore
  expect(tell([[0, running], [3, { ...fenced, peers: [leads] }]]).steps).toEqual(["start-database"]); // prettier-ignore
  // A failover that promoted nobody leaves a cluster that needs it.
  expect(tell([[0, running], [3, fenced], [70, fenced]]).steps).toEqual(["start-database"]); // prettier-ignore
  // Fenced at a boot, it has run as a standby since.
  expect(tell([[0, running], [3, standby], [4, fenced]]).steps).toEqual(["start-database"]); // prettier-ignore
});

const flapping = [[0, standby], [1, dead], [3, standby], [10, dead], [12, standby], [20, dead]] as const; // prettier-ignore

test("one that dies within a minute of each start is given up the third time, and told", () => {
  expect(tell(flapping)).toEqual({ isFlapping: true, steps: [] });
  expect(tell([...flapping, [22, dead], [500, dead]])).toEqual({ isFlapping: true, steps: [] });
});

test("it is over once the database, started by a person, has lived for a minute", () => {
  const started = [...flapping, [600, standby], [661, standby]] as const;
  expect(tell(started).isFlapping).toBe(false);
  expect(tell([...started, [670, dead]])).toEqual({
    isFlapping: false,
    steps: ["start-database"],
  });
});

test("deaths far apart are no flapping", () => {
  const rare = [0, 200, 400, 600].flatMap((at) => [[at, standby], [at + 70, standby], [at + 71, dead]] as const); // prettier-ignore
  expect(tell(rare)).toEqual({ isFlapping: false, steps: ["start-database"] });
});

test("a standby that ran before the host was started anew is started, once nobody else has in five looks", () => {
  const stopped = primary({ status: "stopped", role: null, postmasterPid: null });
  const before: GuardMarks = { ...noMarks, ranInBoot: "an earlier one" };
  const found = (hasStandbyMarker: boolean, marks = before, looks = 5) => {
    let state = guardStateWith([]);
    const seen = view({ ...stopped, hasStandbyMarker }, { marks });
    for (let look = 0; look < looks; look += 1) state = decide(state, seen, look * 2_000).state;
    return state.rules["database-not-started"]?.finding?.would ?? null;
  };
  expect(found(true)).toEqual(["start the database"]);
  expect(found(true, before, 4)).toBeNull();
  expect(found(false)).toEqual([]);
  expect(found(true, { ...noMarks, ranInBoot: view(stopped).facts.host.bootId })).toBeNull();
  expect(found(true, noMarks)).toBeNull();
});
