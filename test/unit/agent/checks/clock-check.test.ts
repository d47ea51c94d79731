import { expect, test } from "vitest";
import { clockCheck } from "#agent/checks/clock-check.ts";
import { joinSettings } from "#agent/join-settings.ts";
import { joinDefaults } from "#test/integration/agent/real-ports.ts";
import { productOf } from "#shared/products/product.ts";

type Bed = {
  readonly coordinator?: number | null;
  readonly upstream?: readonly Readonly<Record<string, unknown>>[];
};

function bed({ coordinator = 12, upstream = [] }: Bed) {
  const time = { wall: 1_000_000, elapsed: 5_000 };
  const check = clockCheck(
    {
      settings: joinSettings(joinDefaults),
      product: productOf("postgresql"),
      clock: { now: () => time.wall, elapsedMs: () => time.elapsed, sleep: async () => undefined },
      databases: {
        own: { query: async () => upstream, versionNumber: 150_000 },
        connect: () => Promise.reject(new Error("not asked")),
        connectOwn: () => Promise.reject(new Error("not asked")),
        firstValue: () => Promise.reject(new Error("not asked")),
      },
    },
    () => coordinator,
  );
  return { time, run: () => check.run(new AbortController().signal) };
}

test("clocks that agree are told with what is known of them", async () => {
  expect(await bed({ upstream: [{ ahead_ms: "-3.5" }] }).run()).toEqual({
    severity: null,
    text: "coordinator +0.0 s, upstream -0.0 s",
  });
  expect(await bed({ coordinator: null }).run()).toEqual({
    severity: null,
    text: "coordinator not connected, upstream unknown: nothing is received",
  });
});

test.each([
  [{ coordinator: -2_500 }, "the coordinator's clock is -2.5 s from this host's"],
  [{ upstream: [{ ahead_ms: 61_000 }] }, "the upstream's clock is +61.0 s from this host's"],
])("a clock that is apart is a warning: %o", async (apart, text) => {
  expect(await bed(apart).run()).toEqual({ severity: "warning", text });
});

test("a clock that was set is told once", async () => {
  const { time, run } = bed({});
  time.wall += 60_000;
  time.elapsed += 60_000;
  expect((await run()).severity).toBe(null);
  time.wall -= 86_340_000;
  time.elapsed += 60_000;
  expect(await run()).toEqual({
    severity: "warning",
    text: "this host's clock was set by -86400.0 s, or the host stood still",
  });
  expect((await run()).severity).toBe(null);
});
