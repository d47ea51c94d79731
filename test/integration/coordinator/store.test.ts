import { execFileSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import * as z from "zod";
import { expect, test } from "vitest";
import { openConnection } from "#coordinator/store/connection.ts";
import { takeDaemonLock } from "#coordinator/store/daemon-lock.ts";
import { markOf, writeCommitMark } from "#coordinator/store/commit-mark.ts";
import { openJournalFile } from "#coordinator/store/journal-file.ts";
import { alertRecords } from "#coordinator/store/alert-records.ts";
import { openStore } from "#coordinator/store/sqlite.ts";
import { initCoordinator } from "#coordinator/init.ts";
import { startCore } from "#coordinator/core.ts";
import { someOperation, somePlan, slotStep } from "./some-plan.ts";
import { makeStateFolder, quickSettings, quietLog } from "./test-coordinator.ts";

const open = (folder: { readonly path: string }) =>
  openStore({ file: join(folder.path, "journal.db"), keptEvents: 1_000, now: 0 });

test("what was written is there after the next opening, under a higher epoch", async () => {
  using folder = await makeStateFolder();
  const { plan, onFailure, ...asked } = someOperation(somePlan(slotStep("srv127")));
  const header = { ...asked, id: "op-12345678", requestedAt: 5 };
  let firstEpoch = 0;
  {
    using store = open(folder);
    firstEpoch = store.epoch;
    store.createOperation(header, plan, { onFailure });
    store.setOperationState(header.id, "running", 7);
    store.setStep(header.id, 0, { state: "started", attempt: 1, startedAt: 8 });
    const baseline = { node: "srv127", path: "/f", hash: "hash", mode: 0o600, owner: "26:26", maskedText: "text", acceptedBy: "alice" }; // prettier-ignore
    store.setBaseline(baseline, 9);
    store.addEvent({ at: 1, kind: "k", node: "srv127", operationId: null, data: { a: [1] } });
  }
  using store = open(folder);
  expect(store.epoch).toBe(firstEpoch + 1);
  expect(store.operation(header.id)).toEqual({
    ...header,
    onFailure,
    plan,
    state: "running",
    startedAt: 7,
    endedAt: null,
    failure: null,
    restores: 0,
    steps: [
      { index: 0, state: "started", attempt: 1, startedAt: 8, endedAt: null, evidence: null, failure: null }, // prettier-ignore
    ],
  });
  expect(store.leaseHolder("ESHA")?.id).toBe(header.id);
  expect(store.baselines("srv127")[0]).toMatchObject({ hash: "hash", mode: 0o600, owner: "26:26", acceptedAt: 9, acceptedBy: "alice" }); // prettier-ignore
  expect(store.eventsAbout({ node: "srv127" }, 5)).toMatchObject([{ data: { a: [1] } }]);
});

test("an operation holds its cluster until a final state; needs-attention is none", async () => {
  using folder = await makeStateFolder();
  using store = open(folder);
  const { plan, onFailure, ...asked } = someOperation(somePlan());
  const make = (id: string) =>
    store.createOperation({ ...asked, id, requestedAt: 1 }, plan, { onFailure });
  make("op-aaaaaaaa");
  for (const state of ["running", "paused", "rolling-back", "needs-attention"] as const) {
    store.setOperationState("op-aaaaaaaa", state, 2);
    expect(make("op-bbbbbbbb")).toMatchObject({ heldBy: { id: "op-aaaaaaaa", state } });
  }
  expect(store.operation("op-bbbbbbbb")).toBeNull();
  store.setOperationState("op-aaaaaaaa", "rolled-back", 3);
  expect(make("op-bbbbbbbb")).toMatchObject({ id: "op-bbbbbbbb", state: "planned" });
  expect(store.operations({ unfinished: true }).map((o) => o.id)).toEqual(["op-bbbbbbbb"]);
  expect(store.operations({ cluster: "other" })).toEqual([]);
});

test("events are bounded", async () => {
  using folder = await makeStateFolder();
  using store = openStore({ file: join(folder.path, "journal.db"), keptEvents: 100, now: 0 });
  for (let i = 1; i <= 500; i += 1) {
    store.addEvent({ at: i, kind: "k", node: null, operationId: null, data: null });
  }
  const kept = store.events(0, 5_000);
  expect(kept).toHaveLength(100);
  expect(kept.at(-1)?.sequence).toBe(500);
});

test.each([
  ["overwritten at its beginning", (file: string) => writeFileSync(file, "not a database at all".repeat(300))], // prettier-ignore
  ["cut in its middle", (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2))],
  ["damaged in its pages", damagePages],
])("a journal that is %s is refused and left as it is", async (_, damage) => {
  using folder = await makeStateFolder();
  const file = join(folder.path, "journal.db");
  fill(folder);
  damage(file);
  const before = readFileSync(file);
  const failure = failureOf(() => open(folder));
  expect(failure).toMatchObject({ code: "STORE_UNUSABLE", message: `The journal ${file} is corrupt.` }); // prettier-ignore
  expect(failure).toMatchObject({ hint: expect.stringContaining("backup") });
  expect(readFileSync(file).equals(before)).toBe(true);
});

test("damage that is met while the journal is in use ends the daemon, and is found by a check before", async () => {
  using folder = await makeStateFolder();
  const file = join(folder.path, "journal.db");
  const told: string[] = [];
  const store = openStore({
    file,
    keptEvents: 100_000,
    now: 0,
    onUnusable: ({ code, hint }) => told.push(`${code} ${hint}`),
  });
  // More than SQLite keeps in memory, and more than stays in the log.
  for (let at = 0; at < 4; at += 1) {
    const data = { text: "x".repeat(2_000_000) };
    store.addEvent({ at, kind: "k", node: "srv127", operationId: null, data });
  }
  expect(store.check().problems).toEqual([]);
  const bytes = readFileSync(file);
  expect(bytes.length).toBeGreaterThan(4_000_000);
  damagePages(file);
  expect(store.check().problems.join()).toContain("in database main");
  told.length = 0;
  expect(failureOf(() => store.events(0, 100))).toMatchObject({ code: "STORE_UNUSABLE" });
  expect(told).toEqual([expect.stringMatching(/^STORE_UNUSABLE.*castellan store restore/)]);
});

test("what the journal's disk or another program denies while it is in use names the journal, and ends nothing", async () => {
  using folder = await makeStateFolder();
  const file = join(folder.path, "journal.db");
  const told: string[] = [];
  using store = openStore({
    file,
    keptEvents: 10,
    now: 0,
    onUnusable: (f) => told.push(f.message),
  });
  const other = openConnection(file);
  other.exec("BEGIN IMMEDIATE");
  const write = () => store.addEvent({ at: 1, kind: "k", node: null, operationId: null, data: {} });
  expect(failureOf(write)).toMatchObject({
    code: "STORE_UNUSABLE",
    message: `The journal ${file} can't be used: database is locked.`,
  });
  other.exec("ROLLBACK");
  other.close();
  expect(write().sequence).toBe(1);
  expect(told).toEqual([]);
}, 30_000);

test("a statement of ours that SQLite refuses is a defect, and not the journal's trouble", async () => {
  using folder = await makeStateFolder();
  using store = open(folder);
  const { plan, onFailure, ...asked } = someOperation(somePlan());
  const make = (cluster: string) =>
    store.createOperation({ ...asked, cluster, id: "op-aaaaaaaa", requestedAt: 1 }, plan, { onFailure }); // prettier-ignore
  make("ESHA");
  expect(failureOf(() => make("OTHER"))).toMatchObject({ code: "SQLITE_CONSTRAINT_PRIMARYKEY" });
});

test("an empty journal and a missing one are told apart, and neither is made anew", async () => {
  using folder = await makeStateFolder();
  const file = join(folder.path, "journal.db");
  truncateSync(file, 0);
  expect(failureOf(() => open(folder))).toMatchObject({
    code: "STORE_UNUSABLE",
    message: expect.stringContaining("truncated"),
  });
  expect(statSync(file).size).toBe(0);
  expect(
    failureOf(() => openStore({ file: `${file}.no`, keptEvents: 1_000, now: 0 })),
  ).toMatchObject({
    hint: expect.stringContaining("castellan init"),
  });
});

test("a read-only journal is refused with the way to mend it, even for root", async () => {
  using folder = await makeStateFolder();
  const file = join(folder.path, "journal.db");
  chmodSync(file, 0o400);
  expect(failureOf(() => open(folder))).toMatchObject({
    code: "STORE_UNUSABLE",
    message: expect.stringContaining("read-only"),
    hint: expect.stringContaining(`chmod 0600 ${file}`),
  });
});

test("a journal made by a newer version is refused, naming both schemas, and not touched", async () => {
  using folder = await makeStateFolder();
  const file = join(folder.path, "journal.db");
  const connection = openConnection(file);
  const before = epochIn(connection);
  connection.exec("PRAGMA user_version = 99");
  connection.close();
  writeCommitMark(markOf(file), 0);
  const failure = failureOf(() => open(folder));
  expect(failure).toMatchObject({
    code: "VERSION_MISMATCH",
    message: expect.stringMatching(/schema 99.*up to 5/),
  });
  chmodSync(file, 0o600);
  const again = openConnection(file);
  expect(epochIn(again)).toBe(before);
  again.close();
});

test("an SQLite file of something else is refused", async () => {
  using folder = await makeStateFolder();
  const file = join(folder.path, "other.db");
  const connection = openConnection(file);
  connection.exec("CREATE TABLE other (id INTEGER)");
  connection.close();
  expect(failureOf(() => openStore({ file, keptEvents: 1_000, now: 0 }))).toMatchObject({
    code: "STORE_UNUSABLE",
    message: expect.stringContaining("not a Castellan journal"),
  });
});

test("the journal, the key and the folder are for the coordinator's user only", async () => {
  using folder = await makeStateFolder();
  using _store = open(folder);
  const mode = (name: string) => statSync(join(folder.path, name)).mode & 0o777;
  expect(mode(".")).toBe(0o700);
  for (const name of ["journal.db", "journal.db-wal", "key.pem", "settings.yaml"]) {
    expect(mode(name), name).toBe(0o600);
  }
});

test("a second daemon on the same state is refused, naming the first one's pid", async () => {
  using folder = await makeStateFolder();
  await using _first = await startCore(quickSettings(folder.path), quietLog);
  await expect(startCore(quickSettings(folder.path), quietLog)).rejects.toMatchObject({
    code: "OPERATION_CONFLICT",
    message: expect.stringContaining(`pid ${process.pid}`),
  });
});

test("the daemon's lock is free again after its end", async () => {
  using folder = await makeStateFolder();
  takeDaemonLock(folder.path, 1)[Symbol.dispose]();
  takeDaemonLock(folder.path, 2)[Symbol.dispose]();
});

test.each(["coordinator.lock", "coordinator.pid"])(
  "a state directory that can't take %s is unusable, and nobody is locked out by the try",
  async (name) => {
    using folder = await makeStateFolder();
    mkdirSync(join(folder.path, name));
    expect(failureOf(() => takeDaemonLock(folder.path, 1))).toMatchObject({
      code: "STORE_UNUSABLE",
      message: expect.stringContaining(folder.path),
      hint: expect.stringContaining("read-only?"),
    });
    rmdirSync(join(folder.path, name));
    takeDaemonLock(folder.path, 2)[Symbol.dispose]();
  },
);

test("init keeps what is there, goes on where it was interrupted, and refuses when all is there", async () => {
  using folder = await makeStateFolder();
  const key = readFileSync(join(folder.path, "key.pem"));
  execFileSync("rm", [join(folder.path, "journal.db")]);
  const again = await initCoordinator({ stateDirectory: folder.path });
  expect(again.made).toEqual([join(folder.path, "journal.db")]);
  expect(readFileSync(join(folder.path, "key.pem")).equals(key)).toBe(true);
  await expect(initCoordinator({ stateDirectory: folder.path })).rejects.toMatchObject({
    code: "ALREADY_EXISTS",
  });
});

function fill(folder: { readonly path: string }): void {
  using store = open(folder);
  for (let i = 0; i < 50; i += 1) {
    const data = { text: "x".repeat(2_000) };
    store.addEvent({ at: i, kind: "k", node: "srv127", operationId: null, data });
  }
}

/** Every page but the first is overwritten in its header. */
function damagePages(file: string): void {
  const bytes = readFileSync(file);
  for (let page = 4_096; page < bytes.length; page += 4_096) bytes.fill(0xa5, page, page + 64);
  writeFileSync(file, bytes);
}

function failureOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("it did not fail");
}

function epochIn(connection: ReturnType<typeof openConnection>): number {
  const row = connection.get("SELECT epoch FROM coordinator");
  return z.object({ epoch: z.number() }).parse(row).epoch;
}

test("alerts that are over are bounded, open ones stay", async () => {
  using folder = await makeStateFolder();
  const journal = openJournalFile(join(folder.path, "journal.db"));
  const store = alertRecords(journal);
  const alert = { severity: "warning", node: "srv127", summary: "", detail: "" } as const;
  store.raiseAlert({ ...alert, cause: "stays" }, 0);
  // One commit for all: the bound is about records.
  journal.transaction(() => {
    for (let i = 0; i < 10_600; i += 1) {
      store.raiseAlert({ ...alert, cause: "flaps" }, i);
      store.resolveAlert("flaps", i);
    }
  });
  journal.close();
  const db = openConnection(join(folder.path, "journal.db"));
  const rows = db.all("SELECT id, state FROM alert");
  db.close();
  expect(rows.length).toBeLessThanOrEqual(10_501);
  expect(rows.filter((row) => JSON.stringify(row).includes("open"))).toHaveLength(1);
}, 60_000);
