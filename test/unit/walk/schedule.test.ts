import { expect, test } from "vitest";
import { describeFault } from "#test/walk/describe.ts";
import { randomOf } from "#test/walk/random.ts";
import { drawOptions, drawSchedule } from "#test/walk/schedule.ts";

const plan = [
  { id: "open-hba/srv127", kind: "open-hba", on: "srv127" },
  { id: "create-slot/srv127", kind: "create-slot", on: "srv127" },
  { id: "base-backup/srv159", kind: "base-backup", on: "srv159" },
  { id: "append-backend/srv129", kind: "append-backend", on: "srv129" },
  { id: "attach-pool", kind: "attach-pool", on: null },
];
const seeds = Array.from({ length: 500 }, (_, index) => index + 1);

test("a seed draws the same walk every time", () => {
  for (const seed of seeds) {
    expect(drawSchedule(seed, plan)).toEqual(drawSchedule(seed, plan));
    expect(drawOptions(seed, null)).toEqual(drawOptions(seed, null));
  }
});

test("neighbouring seeds draw different walks", () => {
  const walks = seeds.map((seed) => JSON.stringify(drawSchedule(seed, plan).faults));
  expect(new Set(walks).size).toBeGreaterThan(480);
});

test("a walk has one to four faults, and no program waits for two points", () => {
  for (const seed of seeds) {
    const { faults } = drawSchedule(seed, plan);
    expect(faults.length).toBeGreaterThanOrEqual(1);
    expect(faults.length).toBeLessThanOrEqual(4);
    const armed = faults.flatMap(({ moment }) => (moment.on === "point" ? [moment.program] : []));
    expect(new Set(armed).size).toBe(armed.length);
  }
});

test("five hundred seeds draw every kind of fault", () => {
  const kinds = seeds.flatMap((seed) => drawSchedule(seed, plan).faults.map((f) => f.fault.kind));
  expect([...new Set(kinds)].sort()).toMatchInlineSnapshot(`
    [
      "abort",
      "crash-database",
      "crash-pool",
      "cut-link",
      "die-at-point",
      "fill-disk",
      "kill-copy",
      "kill-program",
      "lose-incoming",
      "lose-traffic",
      "narrow-link",
      "power-off",
      "reset-connections",
      "restart-program",
      "resume",
      "second-add",
      "stop-at-point",
      "stop-program",
    ]
  `);
});

test("a schedule reads like a story", () => {
  expect(drawSchedule(3, plan).faults.map(describeFault)).toMatchInlineSnapshot(`
    [
      "in step 1 open-hba/srv127 after 5 ms: agent srv129 is killed and comes back after 0.1 s",
      "in step 3 base-backup/srv159 after 3247 ms: the link of coord is cut for 0.5 s",
      "in step 2 create-slot/srv127 after 168 ms: the link of srv159 is cut for 12.0 s",
      "in step 4 append-backend/srv129 after 3 ms: what srv127 sends to srv129 is lost for 12.0 s",
    ]
  `);
});

test("the numbers of a seed are spread evenly", () => {
  const random = randomOf(7);
  const counts = [0, 0, 0, 0];
  for (let n = 0; n < 4_000; n += 1) {
    const quarter = random.between(0, 3);
    counts[quarter] = (counts[quarter] ?? 0) + 1;
  }
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(120);
});
