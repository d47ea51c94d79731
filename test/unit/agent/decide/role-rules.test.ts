import { expect, test } from "vitest";
import { roleRules } from "#agent/decide/rules/role-rules.ts";
import {
  emptyMemory,
  noMarks,
  remember,
  type GuardMemory,
  type GuardView,
} from "#agent/decide/view.ts";
import { stepText } from "#shared/domain/guard.ts";
import { onSrv127, onSrv159, promoted } from "./acts/role-acts.ts";
import { peer, primary, view } from "./view-builder.ts";

/** `rule: steps (witness)` of every row that applies and is no mere sign of the others. */
function told(seen: GuardView, memory: GuardMemory = emptyMemory): readonly string[] {
  return roleRules
    .filter((rule) => rule.id !== "standby-not-streaming" && rule.when(seen, memory, 0) !== null)
    .map(({ id, steps, witness }) => {
      const words = (steps?.(seen, memory) ?? []).map(stepText).join(", ");
      const who = witness?.(seen, memory) ?? null;
      return `${id}: ${words === "" ? "tells" : words}${who === null ? "" : ` (${who})`}`;
    });
}
const [gone, newPrimary = peer("srv129")] = promoted;

test("a standby whose primary is gone follows the one that was promoted", () => {
  expect(told(onSrv159())).toEqual([
    "upstream-changed: follow srv129 (192.168.4.129:54321) (srv129 itself (own-look), and srv127, which is refused)",
  ]);
});

test("a standby that streams follows nobody else, whoever is seen", () => {
  const receiver = { status: "streaming", slot: "slot_srv159", conninfo: "host=192.168.4.127 application_name=srv159", timeline: 1 }; // prettier-ignore
  const { facts } = onSrv159();
  expect(told(onSrv159({}, { ...facts.database, receiver }))).toEqual([]);
});

/** srv127's host lost its power: its receiver counts as streaming for a minute all the same. */
const silent = peer("srv127", { database: "silent", systemIdentifier: null, timeline: null, upstream: null }); // prettier-ignore
function left(
  more: Parameters<typeof onSrv159>[0] = {},
  database: Partial<GuardView["facts"]["database"]> = {},
): GuardView {
  const receiver = { status: "streaming", slot: "slot_srv159", conninfo: "host=192.168.4.127 port=54321 application_name=srv159", timeline: 1 }; // prettier-ignore
  const { facts } = onSrv159();
  return onSrv159(
    { peers: [silent, newPrimary], messageAgeMs: 5_000, ...more },
    { ...facts.database, receiver, ...database },
  );
}

test("a stream whose upstream is silent is left for a primary on a later timeline", () => {
  expect(told(left())).toEqual([
    "upstream-changed: follow srv129 (192.168.4.129:54321) (srv129 itself (own-look), and srv127, which is silent)",
  ]);
});

test("a stream is left for nobody while its upstream may live, or while nobody went on from what it sent", () => {
  const seen = (more: Partial<typeof silent>) => [{ ...silent, ...more }, newPrimary];
  const elsewhere = { status: "streaming", slot: null, conninfo: "host=192.168.4.129 port=54321", timeline: 1 }; // prettier-ignore
  for (const [what, view] of Object.entries({
    "a message of late": left({ messageAgeMs: 4_999 }),
    "a clock that was set back": left({ messageAgeMs: -3_600_000 }),
    "no message yet": left({ messageAgeMs: null }),
    "it refuses": left({ peers: seen({ database: "refused" }) }),
    "it lets nobody in": left({ peers: seen({ database: "login-failed" }) }),
    "it is a standby": left({ peers: seen({ database: "standby", timeline: 1 }) }),
    "it is seen as the primary": left({ peers: seen({ database: "primary", timeline: 1, systemIdentifier: newPrimary.systemIdentifier }) }), // prettier-ignore
    "nothing is known of it": left({ peers: [newPrimary] }),
    "nobody was promoted": left({ peers: [silent, peer("srv129")] }),
    "the same timeline": left({ peers: [silent, { ...newPrimary, timeline: 1 }] }),
    "an unknown timeline": left({ peers: [silent, { ...newPrimary, timeline: null }] }),
    "another cluster's": left({ peers: [silent, { ...newPrimary, systemIdentifier: "1" }] }),
    "it streams from another than the files say": left({}, { receiver: elsewhere }),
    "an unfinished copy": left({}, { hasIncompleteMarker: true }),
    "a rejoin under way": left({ marks: { ...noMarks, rejoiningSince: 1 } }),
    "WAL that went another way": left({ marks: { ...noMarks, diverged: { at: 1, timeline: 2, because: "it went further" } } }), // prettier-ignore
  })) {
    expect([what, told(view).filter((row) => row.startsWith("upstream-changed"))]).toEqual([what, []]); // prettier-ignore
  }
});

test("a standby whose primary became one, and a former primary that came up behind one, follow the new primary; a cascade stays", () => {
  const receiver = { status: "streaming", slot: null, conninfo: "host=192.168.4.127 port=54321 application_name=srv159", timeline: 2 }; // prettier-ignore
  const { facts } = onSrv159();
  const peers = [peer("srv127", { timeline: 2 }), newPrimary];
  const behind = onSrv159({ peers }, { ...facts.database, timeline: 2, receiver });
  const follows = "upstream-changed: follow srv129 (192.168.4.129:54321) (srv129 itself (own-look), and srv127, which is a standby)"; // prettier-ignore
  const before = { ...behind, peers: [peer("srv127", { database: "primary" }), peer("srv129")] };
  const led = remember(remember(emptyMemory, before, 0), behind, 1);
  expect(told(behind, led)).toEqual([follows]);
  const died: GuardMemory = { ...emptyMemory, deaths: { count: 1, lastMs: 0, isDead: false } };
  const marks = { ...noMarks, wasPrimary: { at: 1, timeline: 1 } };
  expect(told({ ...behind, marks }, died)).toEqual([follows]);

  expect(told(behind, remember(emptyMemory, behind, 0))).toEqual([]);
  expect(told({ ...behind, marks })).toEqual([]);
  expect(told(behind, died)).toEqual([]);
});

test("nobody is followed while two primaries are seen, none is, it is another cluster's, or its timeline is older", () => {
  const other = peer("srv127", { database: "primary", timeline: 2, upstream: null });
  for (const peers of [
    [newPrimary, other],
    [gone ?? other],
    [{ ...newPrimary, systemIdentifier: "1" }],
    [{ ...newPrimary, systemIdentifier: null }],
  ]) {
    expect(told(onSrv159({ peers }))).toEqual([]);
  }
  const { facts } = onSrv159();
  expect(told(onSrv159({}, { ...facts.database, timeline: 3 }))).toEqual([]);
});

test("what is said of the primary that it followed does not hold it back once a later one is seen, unless a pool says so, too", () => {
  const old = peer("srv127", { database: "primary", upstream: null, from: "coordinator" });
  const peers = [old, newPrimary];
  expect(told(onSrv159({ peers }))[0]).toContain("upstream-changed: follow srv129");
  const row = { id: 0, hostname: "192.168.4.127", port: 54321, status: "up", role: "primary", weight: 1 }; // prettier-ignore
  const pools = [{ node: "srv129", at: 1, status: "answers" as const, rows: [row], problem: null }];
  expect(told(onSrv159({ peers, pools }))).toEqual([]);
  expect(told(onSrv159({ peers: [{ ...old, timeline: 2 }, newPrimary] }))).toEqual([]);
});

test("before anything is known of the node that it follows, nobody else is followed", () => {
  expect(told(onSrv159({ peers: [newPrimary] }))).toEqual([]);
});

test("WAL that went another way is not followed again, but rewound where the site allows it, or a rebuild is offered", () => {
  const diverged = { at: 1, timeline: 2, because: "it went further" };
  const marks = { ...noMarks, diverged };
  expect(told(onSrv159({ marks }))).toEqual([
    "standby-diverged: stop the database (fast), archive the WAL that srv129 has not, rewind to 192.168.4.129:54321 and follow it (srv129 itself (own-look))",
  ]);
  expect(told(onSrv159({ marks, policy: { rejoin: "never" } }))[0]).toContain("offer a rebuild: it went further"); // prettier-ignore
  // A site that rewinds standbys alone may still say that this one is to be rewound.
  const former = { ...marks, wasPrimary: { at: 1, timeline: 1 } };
  expect(told(onSrv159({ marks: former }))[0]).toContain("standby-diverged: tells");
  // A later primary may have it.
  const later = [gone ?? newPrimary, { ...newPrimary, timeline: 3 }];
  expect(told(onSrv159({ marks, peers: later }))[0]).toContain("upstream-changed: follow srv129");
  const needsRebuild = { at: 1, because: "pg_rewind ended with 1" };
  expect(told(onSrv159({ marks: { ...marks, needsRebuild } }))).toEqual(["needs-rebuild: tells"]);
});

test("an old primary stops only where its successor is on a later timeline and someone else names it so", () => {
  expect(told(onSrv127())).toEqual([
    "old-primary-running: stop the database (fast), write a standby marker, so that it can't come up as a second primary (srv159 streams from srv129)",
  ]);
  expect(told(onSrv127({ peers: [newPrimary] }))[0]).not.toContain("(srv");
  expect(told(onSrv127({ peers: [{ ...newPrimary, from: "coordinator" }] }))[0]).toContain("(srv129's own agent says so)"); // prettier-ignore
  // Seen by this host a moment later than its agent told of it: both count.
  const itself = { ...newPrimary, from: "coordinator" as const };
  expect(told(onSrv127({ peers: [newPrimary], reported: [itself] }))[0]).toContain("(srv129's own agent says so)"); // prettier-ignore
  const row = { id: 1, hostname: "192.168.4.129", port: 54321, status: "up", role: "primary", weight: 1 }; // prettier-ignore
  const pools = [{ node: "srv129", at: 1, status: "answers" as const, rows: [row], problem: null }];
  expect(told(onSrv127({ peers: [newPrimary], pools }))[0]).toContain("(the pool on srv129 names srv129 the primary)"); // prettier-ignore
  expect(told(onSrv127({ peers: [{ ...newPrimary, timeline: 1 }] }))).toEqual([]);
});

test("nobody is stopped or rewound for a promotion that the pools know nothing of", () => {
  const rows = ["127", "129"].map((id, at) => ({ id: at, hostname: `192.168.4.${id}`, port: 54321, status: "up", role: at === 0 ? "primary" : "standby", weight: 1 })); // prettier-ignore
  const pools = [{ node: "srv127", at: 1, status: "answers" as const, rows, problem: null }];
  // Somebody promoted a standby by mistake: its own agent says so, and nobody else.
  const itself = { ...newPrimary, from: "coordinator" as const };
  expect(told(onSrv127({ peers: [itself], pools }))).toEqual([
    "old-primary-running: stop the database (fast), write a standby marker, so that it can't come up as a second primary",
  ]);
  const marks = { ...noMarks, diverged: { at: 1, timeline: 2, because: "it went further" } };
  expect(told(onSrv159({ marks, pools }))).toEqual([
    "standby-diverged: stop the database (fast), archive the WAL that srv129 has not, rewind to 192.168.4.129:54321 and follow it",
  ]);
  // One that is down is not where clients write.
  const failedOver = pools.map((pool) => ({ ...pool, rows: rows.map((row) => ({ ...row, status: "down" })) })); // prettier-ignore
  expect(told(onSrv159({ marks, pools: failedOver }))[0]).toContain("(srv129 itself"); // prettier-ignore
});

test("a stopped directory is an old primary's without a standby marker, or where the marker is of our hand", () => {
  const stopped = { status: "stopped", role: null, hasStandbyMarker: true } as const;
  expect(told(onSrv127({}, stopped))).toEqual([]);
  expect(told(onSrv127({ marks: { ...noMarks, fencedAt: 1 } }, stopped))).toEqual([
    "old-primary-stopped: tells (srv159 streams from srv129)",
  ]);
  expect(told(onSrv127({}, { ...stopped, hasStandbyMarker: false }))[0]).toContain("write a standby marker"); // prettier-ignore
  expect(told(onSrv127({}, { ...stopped, hasStandbyMarker: false, hasIncompleteMarker: true }))).toEqual([]); // prettier-ignore
});

test("one that has followed a later primary since is a standby like any other", () => {
  const marks = { ...noMarks, wasPrimary: { at: 1, timeline: 1 } };
  const later = { ...newPrimary, timeline: 3 };
  // Stopped by somebody, who will start it again.
  const stopped = { status: "stopped", role: null, hasStandbyMarker: true, timeline: 2 } as const;
  const peers = [later, peer("srv159", { timeline: 3, upstream: "192.168.4.129" })];
  expect(told(onSrv127({ marks, peers, policy: { rejoin: "all" } }, stopped))).toEqual([]);
  const diverged = { at: 1, timeline: 3, because: "it went further" };
  const { facts } = onSrv159();
  expect(told(onSrv159({ marks: { ...marks, diverged }, peers }, { ...facts.database, timeline: 2 }))[0]).toContain("rewind to"); // prettier-ignore
});

test("a wrong application_name is told and nothing is done for it", () => {
  const streaming = (name: string, more = {}) =>
    view(
      primary({
        role: "standby",
        receiver: { status: "streaming", slot: null, conninfo: `host=192.168.4.127 application_name=${name}`, timeline: 1 }, // prettier-ignore
      }),
      { ...onSrv159(), ...more, files: [], ownSlots: [] },
    );
  expect(told(streaming("srv129"))).toEqual(["upstream-name-wrong: tells"]);
  expect(told(streaming("srv159"))).toEqual([]);
  expect(told(streaming("srv129", { cluster: null }))).toEqual([]);
});
