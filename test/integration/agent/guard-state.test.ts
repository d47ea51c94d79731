import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as z from "zod";
import { openDecisionRing } from "#agent/guard/decision-ring.ts";
import { openGuardModes } from "#agent/guard/guard-modes.ts";
import { guardRecordFile } from "#agent/guard/guard-record.ts";
import { mostMaintenanceMs, type Decision } from "#shared/domain/guard.ts";

const hour = 3_600_000;

async function stateFolder() {
  const path = await mkdtemp(join(tmpdir(), "castellan-guard-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

function decision(id: string): Decision {
  return {
    id,
    at: 1,
    node: "srv129",
    rule: "database-dead",
    because: "the database ended without a clean stop",
    evidence: "数据库已停止",
    class: "database",
    steps: [],
    outcome: "would",
    why: null,
    inputs: "{}",
    nearMisses: [],
  };
}

test("decisions outlive the agent, the last hundred of them, in their order", async () => {
  await using folder = await stateFolder();
  const ring = await openDecisionRing(folder.path);
  for (let i = 0; i < 350; i += 1) await ring.add(decision(`d${i}`));
  expect(ring.waiting()).toHaveLength(100);
  const again = await openDecisionRing(folder.path);
  expect(again.waiting().map(({ id }) => id)).toEqual(ring.waiting().map(({ id }) => id));
  expect(again.waiting().at(-1)).toEqual(decision("d349"));
  const lines = (await readFile(join(folder.path, "decisions.jsonl"), "utf8")).split("\n");
  expect(lines.length).toBeLessThanOrEqual(201);
});

test("what the coordinator has taken is not told again, but for after a restart", async () => {
  await using folder = await stateFolder();
  const told: string[] = [];
  const ring = await openDecisionRing(folder.path, ({ id }) => told.push(id));
  await ring.add(decision("a"));
  await ring.add(decision("b"));
  expect(told).toEqual(["a", "b"]);
  ring.acknowledge("a", "would");
  expect(ring.waiting().map(({ id }) => id)).toEqual(["b"]);
  expect((await openDecisionRing(folder.path)).waiting()).toHaveLength(2);
});

test("a decision that a power loss cut in two spoils neither those before it nor the next", async () => {
  await using folder = await stateFolder();
  await (await openDecisionRing(folder.path)).add(decision("a"));
  await appendFile(join(folder.path, "decisions.jsonl"), '{"id":"torn","at":1,"no');
  const ring = await openDecisionRing(folder.path);
  await ring.add(decision("b"));
  const ids = (await openDecisionRing(folder.path)).waiting().map(({ id }) => id);
  expect(ids).toEqual(["a", "b"]);
});

test("where nothing can be written a decision is told all the same, and the next agent starts", async () => {
  await using folder = await stateFolder();
  await mkdir(join(folder.path, "decisions.jsonl"));
  const told: string[] = [];
  const ring = await openDecisionRing(folder.path, ({ id }) => told.push(id));
  await expect(ring.add(decision("a"))).rejects.toThrow(/EISDIR/);
  expect([told, ring.waiting().length]).toEqual([["a"], 1]);
});

/** A host with this machine id, at a time of day that the test sets. */
async function host(folder: string, machineId = "m1") {
  const machineIdFile = join(folder, "machine-id");
  await writeFile(machineIdFile, `${machineId}\n`);
  const time = { now: 1_000_000, elapsed: 0 };
  const open = (node = "srv129") =>
    openGuardModes({
      stateDirectory: folder,
      node,
      clock: { now: () => time.now, elapsedMs: () => time.elapsed },
      machineIdFile,
    });
  return { time, open };
}

test("a new host observes; maintenance outlives a restart and ends by the clock", async () => {
  await using folder = await stateFolder();
  const { time, open } = await host(folder.path);
  const modes = await open();
  expect(modes.current()).toEqual({ mode: "observe", until: null, by: null, note: null });
  await modes.beginMaintenance({ forMs: hour, by: "dba@host", note: "disks" });
  const begun = { mode: "maintenance", until: time.now + hour, by: "dba@host", note: "disks" };
  expect(modes.current()).toEqual(begun);
  const again = await open();
  expect(again.current()).toEqual(begun);
  time.now += hour - 1;
  expect(again.current().mode).toBe("maintenance");
  time.now += 1;
  expect(again.current().mode).toBe("observe");
});

test("a mode outlives a restart, and one set during maintenance is what maintenance falls back to", async () => {
  await using folder = await stateFolder();
  const { time, open } = await host(folder.path);
  const modes = await open();
  await modes.setMode("enforce", "dba@host");
  const enforce = { mode: "enforce", until: null, by: "dba@host", note: null };
  expect(modes.current()).toEqual(enforce);
  expect((await open()).current()).toEqual(enforce);
  await modes.beginMaintenance({ forMs: hour, by: "ops@host", note: null });
  await modes.setMode("observe", "ops@host");
  expect(modes.current().mode).toBe("maintenance");
  time.now += hour;
  expect(modes.current()).toMatchObject({ mode: "observe", by: "ops@host" });
});

test("maintenance can be ended before, and can't be made to last by setting the clock back", async () => {
  await using folder = await stateFolder();
  const { time, open } = await host(folder.path);
  const modes = await open();
  await modes.beginMaintenance({ forMs: hour, by: "dba", note: null });
  await modes.endMaintenance();
  expect((await open()).current().mode).toBe("observe");
  await modes.beginMaintenance({ forMs: hour, by: "dba", note: null });
  time.now -= 100 * 24 * hour;
  time.elapsed += hour;
  expect(modes.current().mode).toBe("observe");
  const restarted = await open();
  time.elapsed += mostMaintenanceMs;
  expect(restarted.current().mode).toBe("observe");
});

test.each([
  ["another host's", { machineId: "m2" }, /another host/],
  ["another node's", { node: "srv159" }, /is of node srv159/],
] as const)(
  "%s mode counts for nothing: observe, and it says so until a mode is set",
  async (
    _whose,
    { machineId = "m1", node = "srv129" }: { machineId?: string; node?: string },
    said,
  ) => {
    await using folder = await stateFolder();
    const other = await (await host(folder.path, machineId)).open(node);
    await other.beginMaintenance({ forMs: hour, by: "dba", note: null });
    const { open } = await host(folder.path);
    const modes = await open();
    expect(modes.current().mode).toBe("observe");
    expect(modes.trouble()).toMatch(said);
    expect((await open()).trouble()).toMatch(said);
    await modes.endMaintenance();
    expect([modes.trouble(), (await open()).trouble()]).toEqual([null, null]);
  },
);

test("a mode that is gone or damaged is told; one that was never set is not", async () => {
  await using folder = await stateFolder();
  const { open } = await host(folder.path);
  const path = join(folder.path, "guard-mode.json");
  const modes = await open();
  const save = () =>
    guardRecordFile(folder.path).save({ findings: [], openCauses: [], hasMode: modes.isKept() });
  await save();
  expect((await open()).trouble()).toBeNull();
  await modes.endMaintenance();
  await save();
  await writeFile(path, "{");
  expect((await open()).trouble()).toMatch(/can't be read/);
  await rm(path);
  expect((await open()).trouble()).toMatch(/is gone/);
});

test("what a newer version wrote beside it changes neither the mode nor what this one knows", async () => {
  await using folder = await stateFolder();
  const { time, open } = await host(folder.path);
  const modes = await open();
  await modes.setMode("enforce", "dba");
  await modes.beginMaintenance({ forMs: hour, by: "dba", note: null });
  const path = join(folder.path, "guard-mode.json");
  const stored: unknown = JSON.parse(await readFile(path, "utf8"));
  const { maintenance, ...rest } = z.looseObject({ maintenance: z.looseObject({}) }).parse(stored);
  const newer = { ...rest, later: 1, maintenance: { ...maintenance, later: 1 } };
  await writeFile(path, JSON.stringify(newer));
  const again = await open();
  expect([again.trouble(), again.current().mode, again.lasting()]).toEqual([null, "maintenance", "enforce"]); // prettier-ignore
  time.now += hour;
  expect(again.current().mode).toBe("enforce");
  const synchronous = { node: "srv127", names: "1 (srv129)" };
  const record = { findings: [], openCauses: [], hasMode: true, hasMarks: true, synchronous };
  await writeFile(join(folder.path, "guard.json"), JSON.stringify({ ...record, later: 1 }));
  expect(await guardRecordFile(folder.path).load()).toEqual(record);
});

test("what commits wait for is kept for the next agent, whatever else is so", async () => {
  await using folder = await stateFolder();
  const nothing = { findings: [], openCauses: [] };
  const synchronous = { node: "srv127", names: "1 (srv129)" };
  const record = guardRecordFile(folder.path);
  await record.save(nothing);
  await record.save({ ...nothing, synchronous });
  expect(await guardRecordFile(folder.path).load()).toEqual({ ...nothing, synchronous });
});
