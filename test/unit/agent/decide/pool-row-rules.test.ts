import { expect, test } from "vitest";
import { guardStateWith } from "#agent/decide/decide.ts";
import { poolRowRules } from "#agent/decide/rules/pool-row-rules.ts";
import {
  emptyMemory,
  noMarks,
  remember,
  type GuardMemory,
  type GuardView,
} from "#agent/decide/view.ts";
import type { DatabaseFacts } from "#shared/domain/facts.ts";
import { stepText } from "#shared/domain/guard.ts";
import { all, leader, synchronousPrimary } from "./synchronous-views.ts";
import { peer, walsender } from "./view-builder.ts";

/** What is done, or what a row lacks that nearly applies; the last of these looks, with the memory of those before. */
function told(...looks: readonly GuardView[]): readonly string[] {
  return toldBy(emptyMemory, ...looks);
}

function toldBy(from: GuardMemory, ...looks: readonly GuardView[]): readonly string[] {
  let memory = from;
  for (const look of looks) memory = remember(memory, look, 0);
  const seen = looks.at(-1) ?? leader("up");
  return poolRowRules.flatMap(({ when, steps, nearly }) => {
    if (when(seen, memory, 0) !== null) return (steps?.(seen, memory) ?? []).map(stepText);
    return nearly?.(seen, memory)?.missing ?? [];
  });
}
const attach = ["attach backend 1 to the pool"];
const detach = ["detach backend 1 from the pool"];
const both = [walsender("srv129"), walsender("srv159")];

test("a standby that streams and is down in the pool is attached, by the host whose pool leads", () => {
  expect(told(leader("up"))).toEqual([]);
  expect(told(leader("down"))).toEqual(attach);
  expect(told(leader("unused"))).toEqual(attach);
  const { pool } = leader("down").facts;
  if (pool === null) throw new Error("no pool");
  expect(told(leader("down", undefined, { pool: { ...pool, isLeader: false } }))).toEqual([]);
  expect(told(leader("down", undefined, { pool: { ...pool, isLeader: null } }))).toEqual(attach);
});

test("one that lags, follows another timeline or cluster, or is no standby, stays down, and nothing else is done", () => {
  const far = { ...walsender("srv129"), flushLsn: "0/1000000" };
  expect(told(leader("down", synchronousPrimary("", [far])))).toEqual([
    "it lacks 67108864 bytes; attached from 16777216 on (guard.attachWithinBytes)",
  ]);
  const seen = (more: Parameters<typeof peer>[1]) =>
    told(leader("down", undefined, { peers: [peer("srv129", more)] }))[0];
  expect(seen({ timeline: 2 })).toBe("srv129 is on timeline 2, and srv127 on 1");
  expect(seen({ systemIdentifier: "1" })).toContain("srv129 has system identifier 1");
  expect(seen({ database: "silent" })).toBe("srv129 is silent, no standby");
  expect(seen({ database: "primary" })).toBe("not one primary is seen, or more than one");
  // Somebody else streams under its name.
  expect(seen({ upstream: null })).toBe("srv129 says that it streams from nobody");
  expect(told(leader("down", synchronousPrimary("", [walsender("srv129", "catchup")])))).toEqual([
    "srv129 is catchup of srv127",
  ]);
});

test("a row of another place is nobody's", () => {
  const there = leader("down");
  const nodes = there.cluster?.nodes.map((node) => ({ ...node, port: 5432 })) ?? [];
  const cluster = there.cluster === null ? null : { ...there.cluster, nodes };
  expect(told({ ...there, cluster })[0]).toContain("row 1 is 192.168.4.129:54321, and srv129 is declared at 192.168.4.129:5432"); // prettier-ignore
});

/** As the primary is seen in turn. */
const wasSynchronous = leader("down", synchronousPrimary(all, [], { position: "0/4000000" }));
const suspended = (replication: DatabaseFacts["replication"]) =>
  leader("down", synchronousPrimary("", replication), {
    marks: { ...noMarks, synchronousBefore: all },
  });

test("who comes back while the primary is asynchronous for now waits for it to be synchronous again", () => {
  expect(told(wasSynchronous, suspended([]), suspended(both))).toEqual([
    `srv127 is to be synchronous again first (${all})`,
  ]);
  const again = (flushLsn: string) =>
    leader("down", synchronousPrimary(all, [{ ...walsender("srv129"), flushLsn }], { position: "0/5000000" })); // prettier-ignore
  // What was acknowledged without it lies before the position at which waiting was seen again.
  expect(told(wasSynchronous, suspended([]), again("0/4FFFFFF"))).toEqual([
    "it lacks what was acknowledged without it, up to 0/5000000",
  ]);
  expect(told(wasSynchronous, suspended([]), again("0/4FFFFFF"), again("0/5000000"))).toEqual(
    attach,
  );
});

test("who comes back while fewer are asked for than before waits for what was acknowledged without it", () => {
  const two = "2 (srv129, srv159)";
  const lists = (names: string, position: string, flushLsn: string | null) =>
    leader(
      "down",
      synchronousPrimary(names, [walsender("srv159"), ...(flushLsn === null ? [] : [{ ...walsender("srv129"), flushLsn }])], { position }), // prettier-ignore
    );
  const left = lists(two, "0/1000000", null);
  const fewer = lists("1 (srv129, srv159)", "0/4000000", null);
  const isBack = lists("1 (srv129, srv159)", "0/5000000", "0/4FFFFFF");
  const again = (flushLsn: string) => lists(two, "0/5000000", flushLsn);
  expect(told(left, fewer, isBack)).toEqual([`srv127 is to be synchronous again first (${two})`]);
  expect(told(left, fewer, isBack, again("0/4FFFFFF"))).toEqual([
    "it lacks what was acknowledged without it, up to 0/5000000",
  ]);
  expect(told(left, fewer, isBack, again("0/4FFFFFF"), again("0/5000000"))).toEqual(attach);
  // Where nobody else streams each commit waits for it.
  const alone = (flushLsn: string) =>
    told(left, fewer, leader("down", synchronousPrimary("1 (srv129, srv159)", [{ ...walsender("srv129"), flushLsn }], { position: "0/4800000" }))).at(-1); // prettier-ignore
  expect(alone("0/3FFFFFF")).toBe("it lacks what was acknowledged without it, up to 0/4000000");
  expect(alone("0/4000000")).toBe(attach[0]);
  const unlisted = "1 (srv159)";
  const waited = leader("down", synchronousPrimary(unlisted, [walsender("srv129")]));
  const goesOn = leader("down", synchronousPrimary("", [walsender("srv129")]));
  expect(told(waited, goesOn).at(-1)).toBe(`srv127 is to be synchronous again first (${unlisted})`);
  // A person asks for fewer while more stream: the guard never does.
  const persons = [lists(two, "0/5000000", "0/5000000"), lists("1 (srv129, srv159)", "0/5000000", "0/5000000")]; // prettier-ignore
  expect(told(...persons)).toEqual(attach);
});

test("an agent that was started anew still knows what the primary is to wait for", () => {
  const { memory } = guardStateWith([], { node: "srv127", names: all });
  const goesOn = leader("down", synchronousPrimary("", both));
  expect(toldBy(memory, goesOn)).toEqual([`srv127 is to be synchronous again first (${all})`]);
  expect(toldBy(memory, leader("down", synchronousPrimary(all, both)))).toEqual(attach);
});

test("a primary that a person made asynchronous holds nobody back", () => {
  const before = leader("up", synchronousPrimary(all, both));
  expect(told(before, leader("up"), leader("down"))).toEqual(attach);
});

test("who left while commits wait for it is detached, and so is who comes back up without streaming", () => {
  const waits = leader("up", synchronousPrimary("1 (srv129)", [walsender("srv159")]));
  expect(told(waits)).toEqual(detach);
  const isBack = leader("up", synchronousPrimary("", [walsender("srv159")]), {
    marks: { ...noMarks, synchronousBefore: "1 (srv129)" },
  });
  expect(told(isBack)).toEqual(detach);
  expect(told(leader("up", synchronousPrimary("1 (srv129)", [walsender("srv129", "catchup")])))).toEqual(["detach backend 2 from the pool"]); // prettier-ignore
});

test("nobody is detached without need, nor is the primary", () => {
  expect(told(leader("up", synchronousPrimary("", [])))).toEqual([]);
  expect(told(leader("up", synchronousPrimary("1 (srv159)", [walsender("srv159")])))).toEqual([]);
  const { pool } = leader("up").facts;
  const asPrimary = pool && {
    ...pool,
    rows: pool.rows.map((row) => ({ ...row, role: "primary" })),
  };
  expect(told(leader("up", synchronousPrimary("1 (srv129)", []), { pool: asPrimary }))).toEqual([]);
});

test("a second primary leaves the pool: the one on the older timeline", () => {
  const second = (timeline: number) =>
    told(leader("up", undefined, { peers: [peer("srv129", { database: "primary", timeline })] }));
  expect(second(1)).toEqual([]);
  expect(second(2)).toEqual([]);
  const older = leader("up", synchronousPrimary("", [], { timeline: 2 }), {
    peers: [peer("srv129", { database: "primary", timeline: 1 })],
  });
  expect(told(older)).toEqual(detach);
});
