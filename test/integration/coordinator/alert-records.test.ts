import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { markOf, writeCommitMark } from "#coordinator/store/commit-mark.ts";
import { openConnection } from "#coordinator/store/connection.ts";
import { initial } from "#coordinator/store/migrations/0001-initial.ts";
import { restores } from "#coordinator/store/migrations/0002-restores.ts";
import { alertLife } from "#coordinator/store/migrations/0003-alert-life.ts";
import { migrate } from "#coordinator/store/migrate.ts";
import { openStore } from "#coordinator/store/sqlite.ts";
import type { AlertChange, AlertInput, Store } from "#coordinator/store/store.ts";
import { somePlan } from "./some-plan.ts";
import { makeStateFolder } from "./test-coordinator.ts";

const open = (folder: { readonly path: string }) =>
  openStore({ file: join(folder.path, "journal.db"), keptEvents: 1_000, now: 0 });

const drift: AlertInput = {
  cause: "node:srv127:file:/data/kingbase.conf",
  severity: "warning",
  node: "srv127",
  summary: "kingbase.conf has changed",
  detail: "-port = 1\n+port = 2\n",
};

function changesOf(store: Store): AlertChange[] {
  const changes: AlertChange[] = [];
  store.watchAlerts((change) => changes.push(change));
  return changes;
}

test("an alert is opened once per cause, changes with its detail, and is over once", async () => {
  using folder = await makeStateFolder();
  using store = open(folder);
  const changes = changesOf(store);
  const first = store.raiseAlert(
    { ...drift, file: "/data/kingbase.conf", line: 1, who: "uid 1001" },
    10,
  );
  expect(first).toEqual({
    ...drift,
    id: 1,
    rule: null,
    file: "/data/kingbase.conf",
    line: 1,
    fix: null,
    who: "uid 1001",
    state: "open",
    firstSeenAt: 10,
    lastSeenAt: 10,
    count: 1,
    acknowledgedAt: null,
    acknowledgedBy: null,
    note: null,
    isMuted: false,
  });
  expect(store.raiseAlert({ ...drift, summary: "again" }, 11)).toMatchObject({ id: 1, count: 2 });
  store.raiseAlert({ ...drift, detail: "-port = 1\n+port = 3\n" }, 12);
  store.resolveAlert(drift.cause, 13);
  store.resolveAlert(drift.cause, 14);
  expect(store.alert(1)).toMatchObject({ state: "resolved", lastSeenAt: 13, count: 3 });
  expect(store.raiseAlert(drift, 15).id).toBe(2);
  expect(changes.map(({ kind, revision, eventId }) => [kind, revision, eventId])).toEqual([
    ["opened", 1, "1-1-10"],
    ["changed", 2, "1-2-12"],
    ["resolved", 3, "1-3-13"],
    ["opened", 4, "2-4-15"],
  ]);
});

test("who acknowledges first is the one; the alert opens again only when there is something new", async () => {
  using folder = await makeStateFolder();
  using store = open(folder);
  const changes = changesOf(store);
  const { id } = store.raiseAlert(drift, 1);
  expect(store.acknowledgeAlert(id, { by: "li@a", note: "is mine" }, 2)).toMatchObject({
    state: "acknowledged",
    acknowledgedBy: "li@a",
    acknowledgedAt: 2,
    note: "is mine",
  });
  expect(store.acknowledgeAlert(id, { by: "wang@b", note: null }, 3)?.acknowledgedBy).toBe("li@a");
  expect(store.acknowledgeAlert(99, { by: "wang@b", note: null }, 3)).toBeNull();
  // Who looks after it may say something else of it; who says nothing leaves the note.
  store.acknowledgeAlert(id, { by: "li@a", note: "until noon" }, 3);
  const again = store.acknowledgeAlert(id, { by: "li@a", note: null }, 3);
  expect(again).toMatchObject({ note: "until noon", acknowledgedAt: 3 });
  // Seen again as it was, then milder: it stays acknowledged.
  expect(store.raiseAlert(drift, 4).state).toBe("acknowledged");
  expect(store.raiseAlert({ ...drift, severity: "info" }, 5).state).toBe("acknowledged");
  expect(store.raiseAlert({ ...drift, severity: "critical" }, 6)).toMatchObject({
    state: "open",
    acknowledgedBy: null,
    note: null,
  });
  store.acknowledgeAlert(id, { by: "wang@b", note: null }, 7);
  expect(store.raiseAlert({ ...drift, severity: "critical", detail: "new" }, 8).state).toBe("open");
  store.acknowledgeAlert(id, { by: "wang@b", note: null }, 9);
  const less = { ...drift, severity: "critical", detail: "less", isNews: false } as const;
  expect(store.raiseAlert(less, 10)).toMatchObject({ state: "acknowledged", detail: "less" });
  store.resolveAlert(drift.cause, 11);
  expect(changes.map(({ kind }) => kind)).toEqual([
    "opened",
    "acknowledged",
    "acknowledged",
    "changed",
    "reopened",
    "acknowledged",
    "reopened",
    "acknowledged",
    "changed",
    "resolved",
  ]);
  expect(store.alerts({ open: true })).toEqual([]);
});

test("acknowledged alerts stand: they are listed with the open ones, by every reader of those", async () => {
  using folder = await makeStateFolder();
  using store = open(folder);
  const { id } = store.raiseAlert(drift, 1);
  store.acknowledgeAlert(id, { by: "li@a", note: null }, 2);
  expect(store.alerts({ open: true })).toMatchObject([{ id, state: "acknowledged" }]);
});

test("whatever stands is listed, also by the thousand; of what is over the newest", async () => {
  using folder = await makeStateFolder();
  using store = open(folder);
  for (let i = 0; i < 1_001; i += 1) store.raiseAlert({ ...drift, cause: `stands-${i}` }, 1);
  expect(store.alerts({ open: true })).toHaveLength(1_001);
  expect(store.standingChanges()).toHaveLength(1_001);
  for (let i = 0; i < 1_001; i += 1) {
    store.raiseAlert({ ...drift, cause: `over-${i}` }, 2);
    store.resolveAlert(`over-${i}`, 3);
  }
  const all = store.alerts().map(({ cause }) => cause);
  expect(all.filter((cause) => cause.startsWith("stands-"))).toHaveLength(1_001);
  expect(all.filter((cause) => cause.startsWith("over-"))).toHaveLength(1_000);
  expect(all).not.toContain("over-0");
});

test("mutes outlive a restart; what they cover and stands counts as changed when they end", async () => {
  using folder = await makeStateFolder();
  {
    using store = open(folder);
    store.raiseAlert({ ...drift, cause: "node:srv127:old" }, 1);
    store.raiseAlert({ ...drift, cause: "node:srv127:ends-under-it" }, 1);
    store.addMute({
      pattern: "node:srv127:*",
      until: 100,
      mutedAt: 5,
      mutedBy: "li@a",
      note: "work",
    });
    // A second one of the pattern takes the first one's place.
    store.addMute({ pattern: "node:srv127:*", until: 50, mutedAt: 6, mutedBy: "li@a", note: null });
    expect(store.raiseAlert({ ...drift, cause: "node:srv127:new" }, 7).isMuted).toBe(true);
    expect(store.raiseAlert({ ...drift, cause: "node:srv129:new" }, 7).isMuted).toBe(false);
    store.raiseAlert({ ...drift, cause: "node:srv127:after-the-clock-was-set-back" }, 3);
    store.resolveAlert("node:srv127:ends-under-it", 8);
    store.raiseAlert({ ...drift, cause: "node:srv127:came-and-went" }, 8);
    store.resolveAlert("node:srv127:came-and-went", 9);
  }
  using store = open(folder);
  const [mute, ...others] = store.mutes();
  expect(others).toEqual([]);
  expect(mute).toMatchObject({ pattern: "node:srv127:*", until: 50, mutedAt: 5, mutedBy: "li@a" });
  if (mute === undefined) throw new Error("no mute");
  const changes = changesOf(store);
  store.removeMute(mute, 50);
  store.removeMute(mute, 51);
  expect(store.mutes()).toEqual([]);
  expect(changes.map(({ kind, alert }) => [kind, alert.cause, alert.state, alert.isMuted])).toEqual(
    [
      ["unmuted", "node:srv127:old", "open", false],
      ["unmuted", "node:srv127:new", "open", false],
      ["unmuted", "node:srv127:after-the-clock-was-set-back", "open", false],
      ["unmuted", "node:srv127:ends-under-it", "resolved", false],
    ],
  );
});

test("changes are read in the order in which they were made, each alert with its last one only", async () => {
  using folder = await makeStateFolder();
  using store = open(folder);
  for (const cause of ["a", "b", "c"]) store.raiseAlert({ ...drift, cause }, 1);
  store.resolveAlert("a", 2);
  const brief = (after: number, limit = 10) =>
    store.alertChanges(after, limit).map(({ alert, kind }) => `${alert.cause} ${kind}`);
  expect(brief(0)).toEqual(["b opened", "c opened", "a resolved"]);
  expect(brief(0, 1)).toEqual(["b opened"]);
  expect(brief(3)).toEqual(["a resolved"]);
  expect(brief(4)).toEqual([]);
});

test("a sink that is new begins before everything that stands; one that was taken out is forgotten", async () => {
  using folder = await makeStateFolder();
  using store = open(folder);
  store.raiseAlert(drift, 1);
  expect(store.useSinks(["hook"])).toEqual([{ name: "hook", firstRevision: 1, toldRevision: 0 }]);
  store.setTold("hook", 1);
  store.resolveAlert(drift.cause, 2);
  expect(store.useSinks(["hook", "pager"])).toEqual([
    { name: "hook", firstRevision: 1, toldRevision: 1 },
    { name: "pager", firstRevision: 2, toldRevision: 0 },
  ]);
  store.useSinks(["pager"]);
  expect(store.useSinks(["hook"])).toEqual([{ name: "hook", firstRevision: 2, toldRevision: 0 }]);
});

/** A journal as a coordinator of the second schema has left it. */
async function formerJournal(schema: 1 | 2) {
  const folder = await makeStateFolder();
  const file = join(folder.path, "journal.db");
  for (const suffix of ["", "-mark", "-wal", "-shm"]) rmSync(`${file}${suffix}`, { force: true });
  const db = openConnection(file);
  db.exec(initial);
  if (schema === 2) db.exec(restores);
  db.exec(`PRAGMA application_id = ${0x4353544c}; PRAGMA user_version = ${schema}`);
  db.exec(`INSERT INTO alert (cause, severity, node, summary, detail, state, first_seen_at, last_seen_at, count)
    VALUES ('stands', 'warning', 'srv127', 's', 'd', 'open', 1, 2, 3),
           ('over', 'critical', NULL, 's', 'd', 'resolved', 1, 5, 1)`);
  if (schema === 1) {
    db.run(
      `INSERT INTO operation (id, kind, cluster, subject, requested_by, requested_at, on_failure, state, plan)
       VALUES ('op-aaaaaaaa', 'add-node', 'ESHA', 'srv159', 'li@a', 1, 'pause', 'cancelled', ?)`,
      [JSON.stringify(somePlan())],
    );
  }
  db.close();
  chmodSync(file, 0o600);
  if (schema === 2) writeCommitMark(markOf(file), 0);
  return folder;
}

test.each([1, 2] as const)(
  "alerts of a journal of schema %i go on with their lives",
  async (schema) => {
    using folder = await formerJournal(schema);
    {
      using store = open(folder);
      expect(store.alerts({ open: true })).toMatchObject([
        { id: 1, cause: "stands", state: "open", count: 3, rule: null, who: null, isMuted: false },
      ]);
      expect(
        store.alertChanges(0, 10).map(({ alert, kind, revision }) => [alert.cause, kind, revision]),
      ).toEqual([
        ["stands", "opened", 1],
        ["over", "resolved", 2],
      ]);
      store.raiseAlert({ ...drift, cause: "stands", detail: "d", severity: "warning" }, 9);
      expect(store.alerts()).toHaveLength(2);
      store.resolveAlert("stands", 10);
      expect(store.raiseAlert({ ...drift, cause: "over" }, 11).id).toBe(3);
      expect(store.alertChanges(2, 10).map(({ revision }) => revision)).toEqual([3, 4]);
    }
    using again = open(folder);
    expect(again.check().problems).toEqual([]);
  },
);

test("an upgrade that was cut off between two schemas goes on at the next start", async () => {
  using folder = await formerJournal(1);
  const file = join(folder.path, "journal.db");
  const db = openConnection(file);
  const cutOff = (sql: string): void => {
    if (sql === alertLife) throw new Error("cut off");
    db.exec(sql);
  };
  expect(() => migrate({ ...db, exec: cutOff })).toThrow("cut off");
  db.close();
  writeCommitMark(markOf(file), 0);
  using store = open(folder);
  expect(store.alerts({ open: true })).toMatchObject([{ cause: "stands" }]);
});
