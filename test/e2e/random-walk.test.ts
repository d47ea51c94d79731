import { expect, test } from "vitest";
import { runSeed } from "#test/walk/run-seed.ts";

/** A sample of `npm run test:walk`. */
const seeds = [2, 27, 33];

test("an add that random faults disturb ends added or as before, and no acknowledged row is lost", async () => {
  const diary: string[] = [];
  // Side by side: a walk waits most of its time.
  const results = await Promise.all(
    seeds.map((seed) => runSeed(seed, null, (line) => diary.push(line))),
  );
  for (const { seed, complaints } of results) {
    expect(complaints, `seed ${seed}\n${diary.join("\n")}`).toEqual([]);
  }
  expect(results.map(({ end }) => end)).not.toContain("neither");
}, 600_000);
