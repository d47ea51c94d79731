import fc from "fast-check";
import { expect, test } from "vitest";
import { judgeSilence, type SilenceCase } from "#coordinator/failover/silence.ts";

const coordinator = "the coordinator";
/** A primary of three nodes, armed, and silent to all for two minutes; a test shows only what differs. */
const silence: SilenceCase = {
  lost: "srv127",
  nodes: ["srv127", "srv129", "srv159"],
  coordinatorIsVoter: true,
  selfFence: { withinMs: 45_000, voters: ["srv127", "srv129", "srv159", coordinator] },
  silentMs: 120_000,
  words: [
    { node: "srv129", silentMs: 118_000 },
    { node: "srv159", silentMs: 119_000 },
  ],
  linkLostAfterMs: 8_000,
};

test("a primary that said it would stop itself, and that a majority has not reached for that time, has stopped", () => {
  expect(judgeSilence(silence)).toEqual({
    stopped: true,
    because:
      "the coordinator, srv159, srv129 (3 of 4 voters) have not reached srv127 for 118 s; it was armed to stop itself, at the latest after 58 s",
  });
  const words = [{ node: "srv129", silentMs: 50_000 }, ...silence.words.slice(1)];
  expect(judgeSilence({ ...silence, words })).toEqual({
    stopped: false,
    because:
      "the coordinator, srv159, srv129 (3 of 4 voters) have not reached srv127 for 50 s; it counts as stopped after 58 s",
    mayCome: true,
    inMs: 8_000,
  });
});

test("two data nodes and a coordinator are three voters; with the coordinator on a node's host they are two, who prove nothing", () => {
  const nodes = ["srv127", "srv129"];
  const three = { ...silence, nodes, selfFence: { withinMs: 45_000, voters: [...nodes, coordinator] } }; // prettier-ignore
  expect(judgeSilence({ ...three, words: silence.words.slice(0, 1) }).stopped).toBe(true);
  const two = { ...three, coordinatorIsVoter: false, selfFence: { withinMs: 45_000, voters: nodes } }; // prettier-ignore
  expect(judgeSilence(two)).toMatchObject({ stopped: false, mayCome: false, because: "srv127 can't be asked: 2 voters prove nothing by silence" }); // prettier-ignore
});

test.each<[string, Partial<SilenceCase>, string, boolean]>([
  ["its agent died before", { silentMs: null }, "its agent was not heard until a silence began", false], // prettier-ignore
  ["it was not armed", { selfFence: null }, "not armed", false],
  ["it counts on other voters", { nodes: ["srv127", "srv129", "srv159", "srv160"] }, "as voters, and declared are", false], // prettier-ignore
  ["it took a coordinator on a node's host for a voter", { coordinatorIsVoter: false }, "as voters, and declared are", false], // prettier-ignore
  ["one reaches it", { words: [{ node: "srv129", silentMs: null }, ...silence.words.slice(1)] }, "2 of 4 voters say that they don't reach it: the coordinator, srv159", true], // prettier-ignore
  ["one is not heard", { words: silence.words.slice(1) }, "2 of 4 voters", true],
])("nobody counts it as stopped where %s", (_what, more, because, mayCome) => {
  expect(judgeSilence({ ...silence, ...more })).toMatchObject({
    stopped: false,
    because: expect.stringContaining(because),
    mayCome,
    inMs: null,
  });
});

test("where silence proves that it has stopped, it has had no majority for the time that it promised", () => {
  const forMs = fc.option(fc.integer({ min: 0, max: 100_000 }), { nil: null });
  fc.assert(
    fc.property(
      forMs,
      forMs,
      forMs,
      fc.integer({ min: 15_000, max: 60_000 }),
      (a, b, c, withinMs) => {
        // prettier-ignore
        const verdict = judgeSilence({
        ...silence,
        silentMs: a,
        words: [
          { node: "srv129", silentMs: b },
          { node: "srv159", silentMs: c },
        ],
        selfFence: { withinMs, voters: [...silence.nodes, coordinator] },
      });
        if (!verdict.stopped) return;
        const stillReached = [a, b, c].filter((ms) => ms === null || ms < withinMs + 10_000).length;
        expect((1 + stillReached) * 2).toBeLessThanOrEqual(4);
      },
    ),
  );
});
