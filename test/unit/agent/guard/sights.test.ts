import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createSights } from "#agent/guard/sights.ts";
import { Failure } from "#shared/errors.ts";
import { productOf } from "#shared/products/product.ts";
import { systemClock } from "#shared/time.ts";
import { peer, threeNodes } from "../decide/view-builder.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** srv127, whose looks at the others are counted; srv159 is silent, the rest refuses. */
function bed() {
  const asked: string[] = [];
  let changes = 0;
  const ports = {
    clock: systemClock,
    product: productOf("postgresql"),
    settings: { node: "srv127" },
    clusterView: { current: () => threeNodes() },
    databases: {
      connect: async ({ host, port }: { host: string; port: number }) => {
        asked.push(`${host}:${port}`);
        const isSilent = host.endsWith(".159");
        if (isSilent) await systemClock.sleep(2_000);
        throw new Failure("DATABASE_UNREACHABLE", "no session", {
          cause: Object.assign(new Error("no"), { code: isSilent ? "ETIMEDOUT" : "ECONNREFUSED" }),
        });
      },
    },
  };
  const sights = createSights(ports as never, () => (changes += 1)); // nothing else is called
  return {
    sights,
    changes: () => changes,
    /** How often each was asked in this time. */
    during: async (ms: number) => {
      asked.length = 0;
      await vi.advanceTimersByTimeAsync(ms);
      return { standby: count("129:54321"), silent: count("159:54321"), pool: count("129:9999"), ownPool: count("127:9999") }; // prettier-ignore
    },
  };
  function count(place: string): number {
    return asked.filter((one) => one.endsWith(place)).length;
  }
}

test("without a coordinator the others are looked at every five seconds, pools rarely while all is well", async () => {
  const { sights, during } = bed();
  await during(1_000);
  expect(sights.peers().map(({ database }) => database)).toEqual(["refused"]);
  expect(await during(120_000)).toEqual({ standby: 24, silent: 24, pool: 2, ownPool: 2 });
  expect(sights.peers().map(({ node, database }) => `${node} ${database}`)).toEqual([
    "srv129 refused",
    "srv159 silent",
  ]);
  sights[Symbol.dispose]();
  expect(await during(60_000)).toEqual({ standby: 0, silent: 0, pool: 0, ownPool: 0 });
});

test("while something is off all are looked at every second, a silent one every three, and after ten minutes calmly again", async () => {
  const { sights, during } = bed();
  await during(1_000);
  sights.attend(["here follows nobody"]);
  expect(sights.isClose()).toBe(true);
  expect(await during(60_000)).toEqual({ standby: 60, silent: 20, pool: 60, ownPool: 60 });
  await during(540_000);
  sights.attend(["here follows nobody"]);
  expect(sights.isClose()).toBe(false);
  expect(await during(60_000)).toEqual({ standby: 12, silent: 12, pool: 12, ownPool: 12 });
  sights.attend([]);
  expect(sights.isClose()).toBe(true);
  await during(10_000);
  expect(sights.isClose()).toBe(false);
  sights[Symbol.dispose]();
});

test("a node that its own agent speaks for is seldom asked, and what it said counts for ten seconds", async () => {
  const { sights, during, changes } = bed();
  await during(1_000);
  const before = changes();
  const say = () => sights.told([peer("srv129", { from: "coordinator" })]);
  say();
  say();
  expect(changes()).toBe(before + 1);
  let asked = 0;
  for (let i = 0; i < 48; i += 1) {
    asked += (await during(5_000)).standby;
    say();
  }
  expect(asked).toBe(2);
  await during(100);
  say();
  expect(sights.peers().map(({ from }) => from)).toEqual(["coordinator", "own-look"]);
  await during(11_000);
  expect(sights.peers().map(({ from }) => from)).toEqual(["own-look", "own-look"]);
  sights[Symbol.dispose]();
});
