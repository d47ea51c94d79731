import { expect, test } from "vitest";
import { missingIn, sourcePoints, unreachedPoints } from "#test/matrix/source-points.ts";

test("what is explained as unreached is a point of the sources", () => {
  const names = sourcePoints();
  for (const name of Object.keys(unreachedPoints)) expect(names).toContain(name);
});

test("the points of the sources are found, those that are put together too", () => {
  expect(sourcePoints()).toEqual(
    expect.arrayContaining(["agent:received", "runner:*-started", "step:slot-made"]),
  );
});

test("a point that no process reached is named; a kind, a file or a scope behind the name makes no difference", () => {
  const names = ["agent:received", "file:renamed", "runner:*-done", "step:slot-made"];
  const reached = { srv127: ["agent:received:run:create-slot", "file:renamed:a.conf/run:x"] };
  expect(missingIn(names, [reached])).toEqual(["runner:*-done", "step:slot-made"]);
  const more = { coordinator: ["runner:undo-done:create-slot", "step:slot-made-up"] };
  expect(missingIn(names, [reached, more])).toEqual(["step:slot-made"]);
});
