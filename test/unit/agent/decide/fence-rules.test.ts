import { expect, test } from "vitest";
import { decide, guardStateWith } from "#agent/decide/decide.ts";
import { marksAfter } from "#agent/decide/marks-after.ts";
import { coordinatorVoteOf, selfFenceOf } from "#agent/decide/isolation.ts";
import { rules } from "#agent/decide/rules/table.ts";
import { noMarks, type GuardView } from "#agent/decide/view.ts";
import { cutOffWhileOpened, failedDisk, fenced, poolOf } from "./acts/fence-acts.ts";
import { peer, primary, threeNodes, view } from "./view-builder.ts";

/** What the rule says, and would do, after these looks; null where it is no finding. */
function found(rule: string, views: readonly GuardView[]) {
  let state = guardStateWith([]);
  for (const [index, seen] of views.entries()) {
    state = decide(state, { ...seen, elapsedMs: seen.elapsedMs || index * 2_000 }, index * 2_000).state; // prettier-ignore
  }
  const finding = state.rules[rule]?.finding ?? null;
  const last = views.at(-1);
  if (finding === null || last === undefined) return null;
  const row = rules.find(({ id }) => id === rule);
  return {
    evidence: finding.evidence,
    steps: (row?.steps?.(last, state.memory) ?? []).map((step) => step.do),
    witness: row?.witness?.(last, state.memory),
  };
}

const often = (seen: GuardView, looks = 6): readonly GuardView[] =>
  Array<GuardView>(looks).fill(seen);

const cluster = threeNodes();
const silent = ["srv129", "srv159"].map((node) => peer(node, { database: "silent" }));
const alone = { cluster, peers: silent, coordinatorConnected: false, withoutMajorityMs: 16_000 };
const armed = { selfFence: { armed: true, afterMs: 10_000 } };

test("an armed primary that reaches no majority stops itself after its time and not before, whatever a trust address says", () => {
  const cutOff = view(primary(), { ...alone, policy: armed });
  expect(found("isolated-primary", often({ ...cutOff, withoutMajorityMs: 9_999 }))).toBeNull();
  expect(found("isolated-primary", often(cutOff, 1))).toMatchObject({
    evidence: "1 of 4 voters: itself; for 16 s",
    // Whoever starts it by hand does not know who was promoted meanwhile.
    steps: ["stop-database", "write-standby-marker"],
  });
  for (const [trustAnswers, text] of [
    [true, "; a trust address answers"],
    [false, "; no trust address answers: it is this host that is cut off"],
  ] as const) {
    expect(found("isolated-primary", often({ ...cutOff, trustAnswers }))).toMatchObject({
      evidence: `1 of 4 voters: itself; for 16 s${text}`,
      steps: ["stop-database", "write-standby-marker"],
    });
  }
});

test("one that gives its agent no session may take writes of others: it is stopped, too", () => {
  const hung = primary({ status: "unreachable", role: null });
  const stops = { steps: ["stop-database", "write-standby-marker"] };
  expect(found("isolated-primary", often(view(hung, { ...alone, policy: armed })))).toMatchObject(stops); // prettier-ignore
});

test("one that is not armed tells, and goes on", () => {
  const policy = { selfFence: { armed: false, afterMs: 10_000 } };
  const cutOff = view(primary(), { ...alone, policy });
  expect(found("isolated-primary", often(cutOff))).toMatchObject({ steps: [] });
});

const twoNodes = { ...cluster, nodes: cluster.nodes.slice(0, 2) };
test.each<[string, Partial<GuardView>]>([
  ["F12: a silent gateway alone", { peers: ["srv129", "srv159"].map((node) => peer(node)), trustAnswers: false }], // prettier-ignore
  ["a silent gateway, with one standby and the coordinator to be reached", { peers: [peer("srv129")], coordinatorConnected: true, trustAnswers: false }], // prettier-ignore
  ["hosts that refuse a connection", { peers: ["srv129", "srv159"].map((node) => peer(node, { database: "refused" })) }], // prettier-ignore
  ["voters that nobody has looked at yet", { peers: [] }],
  ["one of two voters", { cluster: twoNodes, coordinatorIsVoter: false }],
  ["a host that was told of no cluster", { cluster: null }],
])("%s stops no primary", (_what, more) => {
  expect(found("isolated-primary", often(view(primary(), { ...alone, ...more, policy: armed }), 60))).toBeNull(); // prettier-ignore
});

test("a standby is never isolated", () => {
  const standby = view(primary({ role: "standby" }), { ...alone, policy: armed });
  expect(found("isolated-primary", often(standby, 60))).toBeNull();
});

test("what it promises of stopping itself, and when it promises nothing", () => {
  const calm = view(primary(), { cluster, policy: armed });
  const voters = ["srv127", "srv129", "srv159", "the coordinator"];
  expect(selfFenceOf(calm, "enforce", 30_000)).toEqual({ withinMs: 45_000, voters });
  const patient = { ...armed, selfFence: { armed: true, afterMs: 60_000 } };
  const later = view(primary(), { cluster, policy: patient, coordinatorIsVoter: false });
  expect(selfFenceOf(later, "enforce", 30_000)).toEqual({ withinMs: 70_000, voters: voters.slice(0, 3) }); // prettier-ignore
  for (const nothing of [
    selfFenceOf(calm, "enforce", null),
    selfFenceOf(calm, "observe", 30_000),
    selfFenceOf(calm, "maintenance", 30_000),
    selfFenceOf(view(primary(), { cluster }), "enforce", 30_000),
    selfFenceOf({ ...calm, cluster: twoNodes, coordinatorIsVoter: false }, "enforce", 30_000),
    selfFenceOf({ ...calm, vendorAtWork: "restartcluster.sh runs" }, "enforce", 30_000),
    selfFenceOf({ ...calm, marks: { ...noMarks, stopped: { at: 1, pid: null } } }, "enforce", 30_000), // prettier-ignore
  ]) {
    expect(nothing).toBeNull();
  }
});

test("one host has one vote: a coordinator on a declared node's host is no voter", () => {
  const on = (host: string): boolean => coordinatorVoteOf(`wss://${host}:7300/agent`, cluster);
  expect([on("192.168.4.10"), on("192.168.4.129"), on("srv159")]).toEqual([true, false, false]);
});

test("a former primary is opened again when every other node was seen and each pool names it", () => {
  expect(found("fenced-primary", often(fenced()))).toMatchObject({ steps: ["open-as-primary"] });
  const noPools = { ...cluster, nodes: cluster.nodes.map((node) => ({ ...node, pool: null })) };
  expect(found("fenced-primary", often(fenced({ cluster: noPools, pools: [] })))).toMatchObject({
    steps: ["open-as-primary"],
  });
});

function withDatabase(
  database: GuardView["facts"]["database"],
  more: Parameters<typeof fenced>[0],
): GuardView {
  const seen = fenced(more);
  return { ...seen, facts: { ...seen.facts, database } };
}

const others = (first: Parameters<typeof peer>[1]) => [peer("srv129", first), peer("srv159")];

test.each<[string, Parameters<typeof fenced>[0]]>([
  ["srv159 is not seen", { peers: [peer("srv129")] }],
  ["srv129 is not seen", { peers: others({ database: "silent" }) }],
  ["the database of srv129: refused", { peers: others({ database: "refused" }) }],
  ["srv129 is on timeline 2, this node on 1", { peers: others({ timeline: 2 }) }],
  ["srv129 has 16 bytes of WAL more than this node", { peers: others({ position: "0/5000010" }) }],
  ["the timeline of srv129 is not known", { peers: others({ timeline: null }) }],
  ["srv129 is of another cluster", { peers: others({ systemIdentifier: "1" }) }],
  ["the pool on srv129 does not answer", { pools: [poolOf("srv127")] }],
  ["the pool on srv129 has this node as down", { pools: [poolOf("srv127"), poolOf("srv129", "down")] }], // prettier-ignore
  ["this host has not been told of its cluster yet", { cluster: null }],
])("a former primary stays a standby: %s", (why, more) => {
  expect(found("fenced-primary", often(fenced(more)))).toMatchObject({ evidence: why, steps: [] });
});

test("what a standby got of a record that was never whole is no WAL that this node lacks", () => {
  // Both have replayed to the same record; the primary had sent a part of the next one when it died.
  const own = fenced({}).facts.database.position;
  const seen = fenced({ peers: others({ position: "0/5002000", replayed: own }) });
  expect(found("fenced-primary", often(seen))).toMatchObject({ steps: ["open-as-primary"] });
  const behind = fenced({ peers: others({ position: "0/5002000", replayed: "0/4FFFFF0" }) });
  expect(found("fenced-primary", often(behind))).toMatchObject({ steps: [] });
});

test("a pool that names nobody, as it was started while this node waited, is no doubt of it", () => {
  const other = poolOf("srv129");
  const rows = other.rows.map((row) => ({ ...row, role: "standby" }));
  const seen = fenced({ pools: [poolOf("srv127"), { ...other, rows }] });
  expect(found("fenced-primary", often(seen))).toMatchObject({ steps: ["open-as-primary"] });
});

test("a pool that names another node as the primary keeps it a standby", () => {
  const other = poolOf("srv129");
  const rows = other.rows.map((row, id) => ({ ...row, role: id === 1 ? "primary" : "standby" }));
  const seen = fenced({ pools: [poolOf("srv127"), { ...other, rows }] });
  expect(found("fenced-primary", often(seen))).toMatchObject({
    evidence: "the pool on srv129 names 192.168.4.129 as the primary",
    steps: [],
  });
});

test("a person's word opens it where somebody is not seen, and not where another one was promoted", () => {
  const marks = { ...noMarks, fencedAt: 2, confirmedAt: 3 };
  const unseen = fenced({ peers: [], pools: [], marks });
  expect(found("fenced-primary", often(unseen))?.steps).toEqual(["open-as-primary"]);
  const newer = fenced({ peers: others({ timeline: 2 }), marks });
  expect(found("fenced-primary", often(newer))?.steps).toEqual([]);
});

test("with another primary it is that one's to be followed, and nobody asks for this one", () => {
  const replaced = fenced({ peers: others({ database: "primary", timeline: 2 }) });
  expect(found("fenced-primary", often(replaced))).toBeNull();
});

const following = {
  ...primary({ role: "standby", hasStandbyMarker: true, timeline: 1 }),
  receiver: { status: "streaming", slot: null, conninfo: "host=192.168.4.129", timeline: 2 },
};

test.each<[string, GuardView, boolean]>([
  ["while it waits", fenced(), false],
  ["streaming from a standby that follows it", withDatabase({ ...following }, {}), false],
  ["streaming from another primary", withDatabase(following, { peers: others({ database: "primary" }) }), true], // prettier-ignore
  ["on a later timeline than it was the primary of", withDatabase({ ...following, receiver: null, timeline: 2 }, {}), true], // prettier-ignore
  ["opened by a person", withDatabase(primary(), {}), true],
  ["opened by the guard, and shielded yet", withDatabase(primary(), { marks: { ...fenced().marks, shieldedAt: 4 } }), false], // prettier-ignore
  ["promoted by a person while it was shielded", withDatabase(primary({ timeline: 2 }), { marks: { ...fenced().marks, shieldedAt: 4 } }), true], // prettier-ignore
])("a fence ends for good once it is not so any more: %s", (_where, seen, isOver) => {
  expect(marksAfter(seen)?.fencedAt === null).toBe(isOver);
  if (isOver) expect(found("fenced-primary", often(seen))).toBeNull();
});

test("cut off when it was open, it is looked at again whatever is missing: it is opened for good, or closed", () => {
  const marks = { ...fenced().marks, restartingSince: 3, shieldedAt: 4 };
  const open = withDatabase(primary({ replication: [] }), { marks, peers: [peer("srv129")] });
  expect(found("fenced-primary", often(open))).toMatchObject({
    evidence: "srv159 is not seen",
    steps: ["open-as-primary"],
  });
});

test("cut off while it was opened, it comes up as a standby again first", () => {
  const agreed = { ...fenced(), facts: cutOffWhileOpened.facts, marks: cutOffWhileOpened.marks };
  for (const seen of [agreed, cutOffWhileOpened]) {
    expect(found("fenced-primary", often(seen))?.steps).toEqual([
      "write-standby-marker",
      "start-database",
    ]);
  }
});

test("a failed disk stops a primary only where that is wanted, and a standby streams", () => {
  const standbys = { cluster, peers: [peer("srv129"), peer("srv159")], checks: [failedDisk] };
  const stopping = { ...standbys, policy: { stopOnDiskFailure: true } };
  expect(found("disk-failed", often(view(primary(), standbys)))?.steps).toEqual([]);
  expect(found("disk-failed", often(view(primary(), stopping)))).toMatchObject({
    evidence: "/data: a write hangs for 5 s",
    steps: ["stop-database"],
    witness: "srv129 streams and could take over (own-look)",
  });
  const noStandby = view(primary({ replication: [] }), stopping);
  expect(found("disk-failed", often(noStandby))?.witness).toBeNull();
  const notSeen = view(primary(), { ...stopping, peers: [peer("srv129", { upstream: null })] });
  expect(found("disk-failed", often(notSeen))?.witness).toBeNull();
  expect(found("disk-failed", often(view(primary({ role: "standby" }), stopping)))?.steps).toEqual(
    [],
  );
});

test("a primary that hangs on its failed disk is stopped by what its directory and a standby say", () => {
  const stopping = {
    cluster,
    peers: [peer("srv129")],
    checks: [failedDisk],
    policy: { stopOnDiskFailure: true },
  };
  const hanging = { status: "unreachable" as const, role: null, replication: [] };
  expect(found("disk-failed", often(view(primary(hanging), stopping)))).toMatchObject({
    steps: ["stop-database"],
    witness: "srv129 streams and could take over (own-look)",
  });
  const ofAnother = { ...stopping, peers: [peer("srv129", { upstream: "192.168.4.159" })] };
  expect(found("disk-failed", often(view(primary(hanging), ofAnother)))?.witness).toBeNull();
  const standby = view(primary({ ...hanging, hasStandbyMarker: true }), stopping);
  expect(found("disk-failed", often(standby))?.steps).toEqual([]);
});
