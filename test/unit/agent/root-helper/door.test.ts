import { expect, test } from "vitest";
import { holdDoor } from "#agent/root-helper/door.ts";
import type { PacketFilter } from "#agent/root-helper/packet-filter.ts";

test("an answer follows every line, and shutting names the ports", async () => {
  const { said, did } = await converse([
    "ready",
    "shut 300",
    "open",
    "nonsense",
    "shut",
    "shut -5",
  ]);
  expect(said).toEqual(["ready", "shut 9999 9998", "open 10", "what?", "what?", "what?"]);
  expect(did).toEqual(["sweep", "shut 9999,9998 300", "open"]);
});

test("nobody can shut the door for longer than a second", async () => {
  const { did } = await converse(["shut 86400000", "open"]);
  expect(did).toContain("shut 9999,9998 1000");
});

test("a door whose asker is gone is opened", async () => {
  const { did } = await converse(["shut 1000"]);
  expect(did).toEqual(["sweep", "shut 9999,9998 1000", "open"]);
});

test("a release that comes after the kernel's own says so", async () => {
  const { said } = await converse(["shut 5", "open"]);
  expect(said).toEqual(["shut 9999 9998", "expired 10"]);
});

test("nothing is removed that was not shut", async () => {
  const { did } = await converse(["ready"]);
  expect(did).toEqual(["sweep"]);
});

/** A conversation with a filter that remembers, on a clock that moves 10 ms at each look. */
async function converse(lines: readonly string[]) {
  const said: string[] = [];
  const did: string[] = [];
  const note = (what: string): Promise<void> => Promise.resolve(void did.push(what));
  const filter: PacketFilter = {
    kind: "nft",
    shut: (ports, ms) => note(`shut ${ports.join(",")} ${ms}`),
    open: () => note("open"),
    sweep: async () => {
      await note("sweep");
      return true;
    },
  };
  let now = 0;
  async function* input() {
    yield* lines;
  }
  await holdDoor(filter, [9999, 9998], {
    lines: input(),
    print: (line) => said.push(line),
    now: () => (now += 10),
  });
  return { said, did };
}
