import { expect, test } from "vitest";
import { defaultSlotLimits } from "#agent/decide/slot-limits.ts";
import { AgentSettings, defaultGuard } from "#agent/settings.ts";

const { slots: _, ...older } = defaultGuard;
const guard = AgentSettings.shape.guard;

test("a file without limits for slots is read with the usual ones, and each may be set alone", () => {
  expect(guard.parse(older).slots).toEqual(defaultSlotLimits);
  const set = guard.parse({ ...older, slots: { reserveBytes: 1_000 } });
  expect(set.slots).toEqual({ ...defaultSlotLimits, reserveBytes: 1_000 });
});

test.each([{ budgetBytes: 0 }, { idleBytes: -1 }, { reserveBytes: 0.5 }, { budget: 5 }])(
  "limits for slots that make no sense are refused: %o",
  (slots) => {
    expect(guard.safeParse({ ...older, slots }).success).toBe(false);
  },
);
