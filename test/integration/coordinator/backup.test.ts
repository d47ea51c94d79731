import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startCore } from "#coordinator/core.ts";
import { offlineStore } from "#coordinator/offline-store.ts";
import { decodeBackup } from "#coordinator/store/backup-file.ts";
import { makeBackup } from "#coordinator/store/make-backup.ts";
import { openStore } from "#coordinator/store/sqlite.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { makeStateFolder, quickSettings, quietLog } from "./test-coordinator.ts";
import { self, emptyFolder, read, failureOf } from "./backup-folder.ts";

test("a backup holds the whole state, is verified, and brings it back on a host that has nothing", async () => {
  using folder = await makeStateFolder();
  writeFileSync(join(folder.path, "clusters/ESHA.yaml"), "cluster: 1\n", { mode: 0o640 });
  using elsewhere = emptyFolder();
  const file = join(elsewhere.path, "backup");
  const before = { key: read(folder, "key.pem"), settings: read(folder, "settings.yaml") };
  writeFileSync(file, offlineStore(folder.path, self).backup(1_000));
  expect(decodeBackup(file, readFileSync(file)).entries.map(({ name }) => name)).toEqual([
    "journal.db",
    "certificate.pem",
    "key.pem",
    "settings.yaml",
    "clusters/ESHA.yaml",
  ]);
  const state = join(elsewhere.path, "state");
  const report = offlineStore(state, self).restore(file, 2_000);
  expect(report).toMatchObject({ madeAt: 1_000, held: [], agents: [] });
  expect(read({ path: state }, "key.pem")).toBe(before.key);
  expect(read({ path: state }, "settings.yaml")).toBe(before.settings);
  expect(read({ path: state }, "clusters/ESHA.yaml")).toBe("cluster: 1\n");
  expect(statSync(join(state, "key.pem")).mode & 0o777).toBe(0o600);
  expect(statSync(state).mode & 0o777).toBe(0o700);
  await using _core = await startCore(quickSettings(state), quietLog);
});

test("a backup that was cut or changed by one bit is refused, and what is there stays", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  const file = join(elsewhere.path, "backup");
  const bytes = offlineStore(folder.path, self).backup(1_000);
  const before = listing(folder.path);
  for (const damage of [
    () => writeFileSync(file, bytes.subarray(0, -1)),
    () => writeFileSync(file, flipped(bytes, Math.floor(bytes.length / 2))),
    () => writeFileSync(file, Buffer.concat([bytes, Buffer.from("x")])),
    () => writeFileSync(file, "not a backup at all"),
    () => truncateSync(file, 0),
  ]) {
    damage();
    expect(failureOf(() => offlineStore(folder.path, self).restore(file, 2_000))).toMatchObject({
      code: "STORE_UNUSABLE",
    });
  }
  expect(listing(folder.path)).toEqual(before);
});

test("while a coordinator runs nothing is restored", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  const file = join(elsewhere.path, "backup");
  writeFileSync(file, offlineStore(folder.path, self).backup(1_000));
  await using core = await startCore(quickSettings(folder.path), quietLog);
  expect(failureOf(() => offlineStore(folder.path, self).restore(file, 2_000))).toMatchObject({
    code: "OPERATION_CONFLICT",
    message: expect.stringContaining(`pid ${process.pid}`),
  });
  expect(core.ports.store.check().problems).toEqual([]);
});

test("a bare journal without its mark is refused by a start, and taken by a restore", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  const bare = join(elsewhere.path, "journal.db");
  cpSync(join(folder.path, "journal.db"), bare);
  rmSync(join(folder.path, "journal.db-mark"));
  await expect(startCore(quickSettings(folder.path), quietLog)).rejects.toMatchObject({
    code: "STORE_UNUSABLE",
    hint: expect.stringContaining("castellan store restore"),
  });
  const report = offlineStore(folder.path, self).restore(bare, 2_000);
  expect(existsSync(join(report.replaced, "journal.db"))).toBe(true);
  await using _core = await startCore(quickSettings(folder.path), quietLog);
});

test("a bare journal is put in place for its owner's eyes and pen alone, however it was saved", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  for (const mode of [0o644, 0o400]) {
    const file = join(elsewhere.path, `saved-${mode}.db`);
    cpSync(join(folder.path, "journal.db"), file);
    chmodSync(file, mode);
    offlineStore(folder.path, self).restore(file, 2_000 + mode);
    expect(statSync(join(folder.path, "journal.db")).mode & 0o777).toBe(0o600);
  }
});

test("what a restore replaces is kept, also when another one follows in the same second", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  const file = join(elsewhere.path, "backup");
  writeFileSync(join(folder.path, "clusters/ESHA.yaml"), "cluster: 1\n");
  writeFileSync(file, offlineStore(folder.path, self).backup(1_000));
  const places = [2_001, 2_002].map((at) => {
    writeFileSync(join(folder.path, "clusters/ESHA.yaml"), `cluster: ${at}\n`);
    return offlineStore(folder.path, self).restore(file, at).replaced;
  });
  expect(places.map((path) => read({ path }, "clusters/ESHA.yaml"))).toEqual([
    "cluster: 2001\n",
    "cluster: 2002\n",
  ]);
});

test("a copy of the journal that a killed coordinator left is swept by the next backup", async () => {
  using folder = await makeStateFolder();
  await using core = await startCore(quickSettings(folder.path), quietLog);
  const backup = (now: number, dies: boolean) =>
    makeBackup({
      stateDirectory: folder.path,
      clustersDirectory: join(folder.path, "clusters"),
      snapshot: (file) => {
        if (dies) killedCopy = file;
        core.ports.store.snapshot(file);
      },
      now,
    });
  let killedCopy = "";
  backup(1_000, true);
  writeFileSync(killedCopy, "as a kill leaves it");
  backup(2_000, false);
  expect(existsSync(killedCopy)).toBe(false);
});

test("two coordinators on copies of one journal never share an epoch, whichever is started when", async () => {
  using folder = await makeStateFolder();
  using elsewhere = emptyFolder();
  const copy = join(elsewhere.path, "copy");
  cpSync(folder.path, copy, { recursive: true });
  const epochs: number[] = [];
  for (const path of [folder.path, copy, folder.path, copy, copy, folder.path]) {
    using store = openStore({ file: join(path, "journal.db"), keptEvents: 1_000, now: Date.now() });
    epochs.push(store.epoch);
    // A millisecond is the least that lies between two starts.
    await waitFor(() => Date.now() > store.epoch);
  }
  expect(new Set(epochs).size).toBe(epochs.length);
  expect(epochs.toSorted((a, b) => a - b)).toEqual(epochs);
});

function listing(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => !name.startsWith(".restore-staging") && !name.startsWith("coordinator."))
    .map((name) => `${name} ${statSync(join(folder, name)).mtimeMs}`);
}

function flipped(bytes: Buffer, at: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ 1;
  return changed;
}
