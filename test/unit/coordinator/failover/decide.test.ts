import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decideFailover, type FailoverCase, type NodeLook } from "#coordinator/failover/decide.ts";
import { greaterLsn, lsnDistance } from "#shared/domain/lsn.ts";

const at = (node: string, received: string, more: Partial<NodeLook> = {}): NodeLook => ({
  node,
  role: "standby",
  systemIdentifier: "7",
  timeline: 1,
  received,
  replayed: "0/1",
  receivesFrom: null,
  ...more,
});
const stopped = { because: "srv127 is stopped", synchronousStandbyNames: "", timeline: 2, silentHost: null }; // prettier-ignore
const decide = (now: readonly NodeLook[], more: Partial<FailoverCase> = {}) =>
  decideFailover({
    lost: "srv127",
    others: ["srv129", "srv159"],
    proof: stopped,
    leftBehind: [],
    looks: [now, now],
    ...more,
  });

describe("whom a failover promotes", () => {
  test("the most advanced standby, by what it received or replayed, whatever its place in the pool", () => {
    expect(decide([at("srv129", "0/5000"), at("srv159", "0/6000")])).toMatchObject({ do: "promote", successor: { node: "srv159", position: "0/6000" } }); // prettier-ignore
    const replayed = at("srv129", "0/5000", { replayed: "0/7000" });
    expect(decide([replayed, at("srv159", "0/6000")])).toMatchObject({ successor: { node: "srv129", position: "0/7000" } }); // prettier-ignore
  });

  test("a later timeline goes before more WAL of an earlier one", () => {
    const looks = [at("srv129", "0/5000", { timeline: 2 }), at("srv159", "0/6000")];
    expect(decide(looks)).toMatchObject({ successor: { node: "srv129", timeline: 2 } });
  });

  test("nobody where a standby is on a later timeline than the fenced one: another primary led it there, and may still", () => {
    const looks = [at("srv129", "0/5000", { timeline: 3 }), at("srv159", "0/6000")];
    expect(decide(looks)).toEqual({
      do: "wait",
      mayChange: false,
      because: "srv129 is on timeline 3, srv127 on 2: somebody else led after it",
    });
  });

  test("nobody without the proof that the former primary takes no write", () => {
    const proof = { missing: "the agent of srv127 is away", mayCome: true, inMs: 7 };
    expect(decide([at("srv129", "0/5000")], { proof })).toEqual({ do: "wait", mayChange: true, inMs: 7, because: proof.missing }); // prettier-ignore
  });

  test("nobody while a standby may still get more, or has got more between two looks", () => {
    expect(decide([at("srv129", "0/5000"), at("srv159", "0/6000", { receivesFrom: "192.168.4.127" })])).toMatchObject({ do: "wait", mayChange: true, because: "srv159: still receiving, or not at rest" }); // prettier-ignore
    const looks = [[at("srv129", "0/4000")], [at("srv129", "0/5000")]] as const;
    expect(decide([], { looks })).toMatchObject({ do: "wait", mayChange: true });
  });

  test("where another one leads, it is named, and nothing is done; two are left to a person", () => {
    const leads = at("srv129", "0/5000", { role: "primary" });
    expect(decide([leads])).toMatchObject({ do: "nothing", primary: "srv129" });
    expect(decide([leads, { ...leads, node: "srv159" }])).toMatchObject({ do: "wait", mayChange: false }); // prettier-ignore
  });

  test("nobody of those whom the primary's guard let commits go without; with one that stayed, who has most", () => {
    const looks = [at("srv129", "0/5000"), at("srv159", "0/6000")];
    expect(decide(looks, { leftBehind: ["srv129", "srv159"] })).toEqual({
      do: "wait",
      mayChange: false,
      because:
        "srv127 went on without srv129, srv159: what was acknowledged then is on nobody else that can be asked",
    });
    expect(decide(looks, { leftBehind: ["srv159"] })).toMatchObject({ successor: { node: "srv159" } }); // prettier-ignore
  });

  test("with synchronous commits: unless those that can't be asked may have what nobody else has", () => {
    const waits = (names: string, ...seen: readonly string[]) =>
      decide(
        seen.map((node) => at(node, "0/5000")),
        { proof: { ...stopped, synchronousStandbyNames: names } },
      ).do === "wait";
    expect(waits("1 (srv127, srv129, srv159)", "srv129", "srv159")).toBe(false);
    expect(waits("1 (srv127, srv129, srv159)", "srv129")).toBe(true);
    expect(waits("2 (srv129, srv159)", "srv129")).toBe(false);
    expect(waits("1 (srv159)", "srv129")).toBe(true);
    expect(waits("*", "srv129", "srv159")).toBe(true);
    expect(waits("1 (srv129", "srv129", "srv159")).toBe(true);
  });
});

const lsn = fc.integer({ min: 1, max: 4 }).map((n) => `0/${n}000`);
const look = (node: string): fc.Arbitrary<NodeLook> =>
  fc.record({
    node: fc.constant(node),
    role: fc.constantFrom("standby", "standby", "standby", "primary", null),
    systemIdentifier: fc.constant("7"),
    timeline: fc.constantFrom(1, 2, null),
    received: fc.option(lsn),
    replayed: fc.option(lsn),
    receivesFrom: fc.constantFrom(null, "192.168.4.127", "192.168.4.129"),
  });
const looksOf = fc
  .tuple(look("srv129"), look("srv159"), look("srv160"))
  .chain((all) => fc.subarray(all));

test("whatever is seen, only a standby at rest that nobody is ahead of is promoted, and only with proof", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.tuple(looksOf, looksOf),
        looksOf.map((one) => [one, one] as const),
      ),
      fc.oneof(
        fc.constant({ missing: "no answer", mayCome: true, inMs: null }),
        fc.record({
          because: fc.constant("it is stopped"),
          synchronousStandbyNames: fc.constantFrom("", "1 (srv129, srv159, srv160)", "2 (srv129, srv159, srv160)", "*"), // prettier-ignore
          timeline: fc.constant(1),
          silentHost: fc.constantFrom(null, "192.168.4.127"),
        }),
      ),
      (looks, proof) => {
        const others = ["srv129", "srv159", "srv160"];
        const decided = decideFailover({ lost: "srv127", others, proof, leftBehind: [], looks });
        if (decided.do !== "promote") return;
        expect(proof).not.toHaveProperty("missing");
        expect(decided.successor.timeline).toBe(1);
        const [before, now] = looks;
        expect(now.every(({ role }) => role !== "primary")).toBe(true);
        const place = (seen: readonly NodeLook[], node: string): string | null => {
          const found = seen.find((one) => one.node === node);
          return found === undefined ? null : greaterLsn(found.received, found.replayed);
        };
        const { node, position, timeline } = decided.successor;
        expect(place(before, node)).toBe(position);
        expect(place(now, node)).toBe(position);
        for (const other of now.filter(({ role }) => role === "standby")) {
          expect([null, "silentHost" in proof ? proof.silentHost : null]).toContain(other.receivesFrom); // prettier-ignore
          expect(other.timeline ?? 0).toBeLessThanOrEqual(timeline);
          if (other.timeline === timeline) {
            expect(lsnDistance(position, place(now, other.node))).toBeLessThanOrEqual(0);
          }
        }
        const names = "synchronousStandbyNames" in proof ? proof.synchronousStandbyNames : "";
        const required = Number(/^\d/.exec(names)?.[0] ?? 0);
        const unseen = others.filter((one) => !now.some((seen) => seen.node === one)).length;
        expect(names).not.toBe("*");
        if (required > 0) expect(unseen).toBeLessThan(required);
      },
    ),
  );
});
