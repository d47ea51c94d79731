import { expect, test } from "vitest";
import { syncRules } from "#agent/decide/rules/sync-rules.ts";
import { emptyMemory, noMarks, type GuardView } from "#agent/decide/view.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { stepText } from "#shared/domain/guard.ts";
import { all, bothGone, bothPools, synchronousPrimary, without } from "./synchronous-views.ts";
import { cronFile, peer, threeNodes, view, walsender } from "./view-builder.ts";

/** `rule: steps`, or why they wait; but for the sign that all are gone. */
function told(seen: GuardView): readonly string[] {
  return syncRules.flatMap(({ id, when, steps, witness }) => {
    const evidence = when(seen, emptyMemory, 0);
    if (evidence === null || id === "primary-without-standbys") return [];
    const words = (steps?.(seen, emptyMemory) ?? []).map(stepText).join(", ");
    if (witness !== undefined && witness(seen, emptyMemory) === null) {
      return [`${id} waits: ${evidence.split("waiting: ")[1]}`];
    }
    return [`${id}: ${words === "" ? "tells" : words}`];
  });
}
const asynchronous = "synchronous-without-standby: make the primary asynchronous";

test("a primary goes asynchronous when nobody is left and no pool may promote who left", () => {
  expect(told(without())).toEqual([asynchronous]);
  expect(told(without({}, "*"))).toEqual([asynchronous]);
  expect(told(without({}, "srv129, srv159"))).toEqual([asynchronous]);
  const [rule] = syncRules;
  expect(rule?.steps?.(without(), emptyMemory)).toEqual([
    { do: "synchronous", names: "", notPromotable: ["srv129", "srv159"] },
  ]);
});

test("commits go on waiting while a pool may promote who left, or can't be asked", () => {
  const [first = bothPools("down")[0], second] = bothPools("down");
  const cases: readonly (readonly [GuardView, string])[] = [
    [without({ pools: bothPools("up") }), "srv129 is up on the pool of srv127"],
    [without({ pools: bothPools("down", "waiting") }), "srv159 is waiting on the pool of srv127"],
    [without({ pools: bothPools("quarantine") }), "srv129 is quarantine on the pool of srv127"],
    [
      without({ pools: first === undefined ? [] : [first] }),
      "the pool of srv129 was not asked yet",
    ],
    [
      without({ pools: [first, second && { ...second, status: "refused" as const, rows: [] }].flatMap((pool) => pool ?? []) }), // prettier-ignore
      "the pool of srv129 can't be asked (refused)",
    ],
    [
      without({ cluster: threeNodes({ nodes: threeNodes().nodes.map((node) => ({ ...node, pool: null })) }) }), // prettier-ignore
      "no pool is declared that could be asked",
    ],
    [without({ cluster: null }), "this node's cluster is not known yet"],
  ];
  for (const [seen, why] of cases) {
    expect(told(seen)).toEqual([expect.stringMatching(/^synchronous-without-standby waits: /)]);
    expect(told(seen)[0]).toContain(why);
  }
});

test("commits go on waiting while who left may be there, or ahead, and while another primary runs", () => {
  const [, srv159 = peer("srv159")] = bothGone;
  const waits = (srv129: ReturnType<typeof peer>) => told(without({ peers: [srv129, srv159] }));
  expect(waits(peer("srv129"))).toEqual([
    "synchronous-without-standby waits: srv129 says that it streams from here",
  ]);
  expect(waits(peer("srv129", { upstream: null, timeline: 2 }))).toEqual([
    "synchronous-without-standby waits: srv129 is on timeline 2",
  ]);
  expect(waits(peer("srv129", { database: "primary", upstream: null }))).toEqual([
    "synchronous-without-standby waits: srv129 runs as a primary as well",
  ]);
  expect(told(without({ peers: [srv159] }))).toEqual([
    "synchronous-without-standby waits: srv129 was not looked at yet",
  ]);
  const catchesUp = view(synchronousPrimary(all, [walsender("srv129", "catchup")]), {
    cluster: threeNodes(),
    pools: bothPools("down"),
  });
  expect(told(catchesUp)).toEqual([
    "synchronous-without-standby waits: srv129 has not left: catchup",
  ]);
});

test("a primary that reaches nobody stays synchronous: it may be the one that is cut off", () => {
  const silent = bothGone.map((sight) => ({ ...sight, database: "silent" as const }));
  const [own, other] = bothPools("down");
  const cutOff = {
    peers: silent,
    pools: [own, other && { ...other, status: "silent" as const }].flatMap((pool) => pool ?? []),
    coordinatorConnected: false,
    trustAnswers: false,
  };
  const waits = "synchronous-without-standby waits: this host reaches nobody else: it may be the one that is cut off"; // prettier-ignore
  expect(told(without(cutOff))).toEqual([waits]);
  // Its own pool alone says nothing of the rest of the world.
  const alone = threeNodes({ nodes: threeNodes().nodes.map((node, index) => (index === 1 ? { ...node, pool: null } : node)) }); // prettier-ignore
  expect(told(without({ ...cutOff, cluster: alone }))).toEqual([waits]);
  expect(told(without({ ...cutOff, cluster: alone, trustAnswers: true }))).toEqual([asynchronous]);
});

test("who still streams goes on being waited for: a list asks for fewer, and never for none", () => {
  const one = (names: string) =>
    told(
      view(synchronousPrimary(names, [walsender("srv159")]), {
        cluster: threeNodes(),
        peers: bothGone,
        pools: bothPools("down", "up"),
      }),
    );
  expect(one("2 (srv129, srv159)")[0]).toBe(
    "synchronous-without-standby: set synchronous_standby_names to 1 (srv129, srv159)",
  );
  expect(one("ANY 2 (*)")[0]).toContain("set synchronous_standby_names to ANY 1 (*)");
  expect(one("1 (srv129, srv159)")).toEqual(["listed-standby-missing: tells"]);
});

test("without a pool it is for the coordinator to record who left", () => {
  expect(told(without({ cluster: threeNodes({ poolKind: "none" }), pools: [] }))).toEqual([
    asynchronous,
  ]);
});

test("a primary that the guard made asynchronous asks again for as many as stream and are close", () => {
  const marks = { ...noMarks, synchronousBefore: "2 (srv129, srv159)" };
  const one = walsender("srv129");
  const far = { ...walsender("srv159"), flushLsn: "0/1000000" };
  const again = (names: string, replication: readonly (typeof one)[]) =>
    told(view(synchronousPrimary(names, [...replication]), { marks })).filter((line) =>
      line.startsWith("synchronous-again"),
    );
  const set = (names: string) => [`synchronous-again: set synchronous_standby_names to ${names}`];
  expect(again("", [one])).toEqual(set("1 (srv129, srv159)"));
  expect(again("", [one, walsender("srv159")])).toEqual(set("2 (srv129, srv159)"));
  expect(again("1 (srv129, srv159)", [one, walsender("srv159")])).toEqual(
    set("2 (srv129, srv159)"),
  );
  expect(again("1 (srv129, srv159)", [one])).toEqual([]);
  expect(again("", [walsender("srv129", "catchup")])).toEqual([]);
  expect(again("2 (srv129, srv159)", [one])).toEqual([]);
  // More than guard.attachWithinBytes behind.
  expect(again("", [far])).toEqual([]);
  // Somebody else's.
  expect(again("1 (srv159)", [one, walsender("srv159")])).toEqual([]);
});

test("KingbaseES' own file says whether a primary is to be synchronous", () => {
  const haModule = (flag: number, names = "srv127 srv129"): FileFacts => ({
    ...cronFile(`SYNC_FLAG=${flag}\nALL_NODE_NAME=(${names})\n`),
    format: "ha-module",
  });
  const seen = (files: FileFacts[], marks = noMarks) =>
    told(view(synchronousPrimary("", [walsender("srv129")]), { files, marks })).filter((line) =>
      line.startsWith("synchronous-again"),
    );
  expect(seen([haModule(1)])).toEqual([
    "synchronous-again: set synchronous_standby_names to 1 (srv127, srv129)",
  ]);
  expect(seen([haModule(0)], { ...noMarks, synchronousBefore: all })).toEqual([]);
  expect(seen([haModule(1, "")])).toEqual([]);
  expect(seen([haModule(1), haModule(0)])).toEqual([]);
});

test("a standby that is missing is told while another one streams, listed or declared", () => {
  const seen = (names: string) =>
    told(view(synchronousPrimary(names, [walsender("srv159")]), { cluster: threeNodes() }));
  expect(seen(all)).toEqual(["listed-standby-missing: tells"]);
  expect(seen("")).toEqual(["listed-standby-missing: tells"]);
  expect(seen("1 (srv159)")).toEqual([]);
});

test("commits go on waiting while a pool has who left up in another row than the declared one", () => {
  const pools = bothPools("down").map(
    (pool, index) =>
    index === 0
      ? pool
      : { ...pool, rows: pool.rows.map((row) => ({ ...row, hostname: row.id === 0 ? "192.168.4.129" : row.id === 1 ? "192.168.4.127" : row.hostname })) }, // prettier-ignore
  );
  expect(told(without({ pools }))).toEqual([
    "synchronous-without-standby waits: srv129 is up on the pool of srv129",
  ]);
});

test("commits go on waiting while a pool may promote a node that nobody declared", () => {
  const stranger = { hostname: "192.168.4.77", port: 54321, role: "standby", weight: 1 };
  const pools = (status: string) =>
    bothPools("down").map((pool) => ({ ...pool, rows: [...pool.rows, { ...stranger, id: 3, status }] })); // prettier-ignore
  expect(told(without({ pools: pools("up") }))[0]).toContain(
    "synchronous-without-standby waits: 192.168.4.77:54321, which is no declared node, is up on the pool of srv127",
  );
  expect(told(without({ pools: pools("down") }))).toEqual([asynchronous]);
});
