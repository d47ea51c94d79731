import fc from "fast-check";
import { expect, test } from "vitest";
import {
  happen,
  isPrimary,
  isStreaming,
  lookAround,
  newStory,
  type Event,
  type Story,
} from "./cluster-model.ts";

const node = fc.constantFrom(0, 1, 2);
const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    what: fc.constantFrom(
      "kill",
      "power-off",
      "power-on",
      "start",
      "promote",
      "add-vip",
      "delete-vip",
    ),
    node,
  }),
  fc.record({ what: fc.constantFrom("cut", "mend"), node, other: node }),
);
/** Something happens, and for some looks nothing more does. */
const anyStory = fc.array(fc.tuple(anyEvent, fc.integer({ min: 0, max: 6 })), { maxLength: 15 });

const calmLooks = 40;
const destructive = new Set(["stop-database", "rejoin", "repoint", "open-as-primary"]);

function tell(events: readonly (readonly [Event, number])[]): Story {
  const story = newStory();
  for (const [event, looks] of events) {
    happen(story, event);
    for (let look = 0; look < looks; look += 1) lookAround(story);
  }
  return story;
}

/** Every link whole, every host on. */
function calmDown(story: Story): void {
  story.cut.clear();
  for (const index of story.hosts.keys()) happen(story, { what: "power-on", node: index });
  for (let look = 0; look < calmLooks; look += 1) lookAround(story);
}

test("when all is mended the virtual address is on one host at most, and that one runs the primary", () => {
  fc.assert(
    fc.property(anyStory, (events) => {
      const story = tell(events);
      calmDown(story);
      const holders = story.hosts.filter(({ hasVip }) => hasVip);
      expect(holders.length).toBeLessThanOrEqual(1);
      for (const holder of holders) expect(isPrimary(holder)).toBe(true);
    }),
  );
});

test("nothing goes back and forth: when all is mended the guards come to rest", () => {
  fc.assert(
    fc.property(anyStory, (events) => {
      const story = tell(events);
      calmDown(story);
      const late = story.ordered
        .filter(({ at, step }) => at > story.looks - 10 && step.do !== "offer-rebuild")
        .map(({ rule, step }) => `${rule}: ${step.do}`);
      expect(late).toEqual([]);
    }),
  );
});

test("no node that streams is stopped, rewound or sent elsewhere, and no only primary is stopped", () => {
  fc.assert(
    fc.property(anyStory, (events) => {
      for (const { seen, step, rule, isStreaming: streams } of tell(events).ordered) {
        if (!destructive.has(step.do)) continue;
        const { database } = seen.facts;
        expect([rule, streams]).toEqual([rule, false]);
        // One that only counts as streaming is led elsewhere, and nothing else.
        if (database.receiver?.status === "streaming") expect(step.do).toBe("repoint");
        if (database.role !== "primary") continue;
        const others = seen.peers.filter((other) => other.database === "primary");
        expect([rule, others.some((other) => (other.timeline ?? 0) > (database.timeline ?? 0))]).toEqual([rule, true]); // prettier-ignore
      }
    }),
  );
});

test("a primary to which the pools send what is written is not stopped for one that was promoted by mistake", () => {
  const mistake = fc.record({ what: fc.constant("promote-by-mistake" as const), node });
  const anyMistake = fc.array(
    fc.tuple(fc.oneof(anyEvent, mistake), fc.integer({ min: 0, max: 6 })),
    { maxLength: 15 },
  );
  fc.assert(
    fc.property(anyMistake, (events) => {
      for (const { node: name, seen, step, rule } of tell(events).ordered) {
        if (step.do !== "stop-database" || seen.facts.database.role !== "primary") continue;
        const own = seen.cluster?.nodes.find((one) => one.name === name)?.address;
        const named = seen.pools
          .flatMap(({ rows }) => rows)
          .filter(({ role, status }) => role === "primary" && status === "up");
        expect([rule, named.some(({ hostname }) => hostname === own)]).toEqual([rule, false]);
      }
    }),
  );
});

test("a former primary never opens beside another one", () => {
  fc.assert(
    fc.property(anyStory, (events) => {
      const story = tell(events);
      for (const { step, seen } of story.ordered) {
        if (step.do !== "open-as-primary") continue;
        expect(seen.peers.map(({ database }) => database)).not.toContain("primary");
      }
    }),
  );
});

test("where nothing happens nothing is ordered", () => {
  const story = newStory();
  for (let look = 0; look < 100; look += 1) lookAround(story);
  expect(story.ordered).toEqual([]);
  expect(story.hosts.filter((host) => isStreaming(story, host))).toHaveLength(2);
});
