import { createHash } from "node:crypto";
import {
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  readdir,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import * as z from "zod";
import { takeInstanceLock } from "#agent/adapters/instance-lock.ts";
import { createLedger } from "#agent/adapters/ledger.ts";
import { openRecordFolder } from "#agent/adapters/record-folder.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "castellan-state-"));
});
afterEach(() => rm(folder, { recursive: true }));

const entry = { operationId: "op-abcdefgh", at: 1, facts: { lines: ["a"], hash: null } };

test("the ledger holds any key across a restart, found by prefix", async () => {
  const long = `tree:/${"very-long-name/".repeat(40)}`;
  const keys = ["slot:slot_srv159", "hba:/etc/postgresql/15/main/pg_hba.conf", "hba:../x", long];
  const first = await createLedger(folder);
  for (const key of keys) await first.put(key, entry);
  const second = await createLedger(folder);
  for (const key of keys) expect(await second.get(key)).toEqual(entry);
  expect((await second.list("hba:")).map(({ key }) => key).sort()).toEqual(
    ["hba:../x", "hba:/etc/postgresql/15/main/pg_hba.conf"].sort(),
  );
  await second.delete("hba:../x");
  await second.delete("hba:../x");
  expect((await (await createLedger(folder)).list("")).map(({ key }) => key)).not.toContain(
    "hba:../x",
  );
});

test("a folder of records is closed when the writes under way are on disk", async () => {
  const records = await openRecordFolder(folder, z.number());
  const writes = [records.put("highest", 7), records.put("other", 8)];
  await records[Symbol.asyncDispose]();
  expect((await readdir(folder)).sort()).toEqual(["highest.json", "other.json"]);
  await Promise.all(writes);
});

test("a write that a crash cut short is forgotten; a damaged record is named", async () => {
  const ledger = await createLedger(folder);
  await ledger.put("slot:a", entry);
  await writeFile(join(folder, ".slot%3Aa.json.castellan-0123456789abcdef.tmp"), "{");
  expect(await (await createLedger(folder)).get("slot:a")).toEqual(entry);
  expect(await readdir(folder)).toHaveLength(1);
  await writeFile(join(folder, "slot%3Aa.json"), "{}");
  await expect(createLedger(folder)).rejects.toMatchObject({
    code: "STORE_UNUSABLE",
    message: expect.stringContaining("slot%3Aa.json"),
  });
});

test("a lock is held once, is given back, and one left by a crash or a former boot is taken over", async () => {
  {
    await using lock = await takeInstanceLock(folder, process.pid);
    expect(lock).toBeDefined();
    await expect(takeInstanceLock(folder, process.pid)).rejects.toMatchObject({
      code: "OPERATION_CONFLICT",
      message: expect.stringContaining(`pid ${process.pid}`),
    });
  }
  expect(await readdir(folder)).toEqual([]);
  const bootId = (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  const lock = join(folder, "agent.lock");
  // The same pid, but of another process: its start time differs.
  for (const holder of [
    JSON.stringify({ pid: process.ppid, startTime: "1", bootId }),
    JSON.stringify({ pid: process.pid, startTime: "1", bootId: "former" }),
    "half a li",
  ]) {
    await writeFile(lock, holder);
    await using taken = await takeInstanceLock(folder, process.pid);
    expect(taken).toBeDefined();
    expect(await readlink(lock)).toMatch(new RegExp(`^${process.pid}:`));
  }
});

test("what an agent of this very pid left in the middle of taking the lock is in nobody's way", async () => {
  // In a container an agent has the same pid at each start.
  await symlink("1:1:former", join(folder, `.agent.lock.${process.pid}`));
  await using lock = await takeInstanceLock(folder, process.pid);
  expect(lock).toBeDefined();
  expect(await readdir(folder)).toEqual(["agent.lock"]);
});

test("of many that start at once over a stale lock exactly one gets it", async () => {
  // Often, since it is a matter of microseconds who looks and who clears first.
  for (let round = 0; round < 100; round += 1) {
    const place = join(folder, String(round));
    await mkdir(place);
    await writeFile(join(place, "agent.lock"), "stale");
    const pids = [process.pid, process.ppid, 1];
    const taken = await Promise.allSettled(pids.map((pid) => takeInstanceLock(place, pid)));
    expect(taken.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(await readdir(place)).toEqual(["agent.lock"]);
  }
});

test("a stale lock whose taking over was cut off is taken over all the same", async () => {
  await writeFile(join(folder, "agent.lock"), "stale");
  const key = createHash("sha256").update("stale").digest("hex").slice(0, 32);
  const dead = JSON.stringify({ pid: process.pid, startTime: "1", bootId: "former" });
  await writeFile(join(folder, `agent.lock.claim-${key}`), dead);
  await using lock = await takeInstanceLock(folder, process.pid);
  expect(lock).toBeDefined();
  expect(await readdir(folder)).toEqual(["agent.lock"]);
});
