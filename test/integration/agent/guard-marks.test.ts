import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { noMarks } from "#agent/decide/view.ts";
import { guardRecordFile } from "#agent/guard/guard-record.ts";
import { openGuardMarks } from "#agent/guard/marks.ts";
import { someDatabase } from "#test/unit/database-facts.ts";

const hour = 3_600_000;
const primary = someDatabase({ role: "primary", timeline: 3 });
const receiver = { status: "streaming", slot: null, conninfo: "", timeline: 3 };
const standby = someDatabase({ role: "standby", timeline: 3, receiver });

async function host(machineId = "m1") {
  const folder = await mkdtemp(join(tmpdir(), "castellan-marks-"));
  const machineIdFile = join(folder, "machine-id");
  await writeFile(machineIdFile, `${machineId}\n`);
  return {
    path: join(folder, "guard-marks.json"),
    open: (node = "srv129") => openGuardMarks({ stateDirectory: folder, node, machineIdFile }),
    becomes: (other: string) => writeFile(machineIdFile, `${other}\n`),
    keptMarks: () => guardRecordFile(folder).save({ findings: [], openCauses: [], hasMarks: true }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

test("what is marked outlives the agent, for nobody else to read", async () => {
  await using here = await host();
  const marks = await here.open();
  expect([marks.current(), marks.isKept(), marks.trouble()]).toEqual([noMarks, false, null]);
  const needsRebuild = { at: 5, because: "no WAL left, 数据库" };
  await Promise.all([marks.mark({ fencedAt: 4 }), marks.mark({ needsRebuild })]);
  expect((await here.open()).current()).toEqual({ ...noMarks, fencedAt: 4, needsRebuild });
  expect((await stat(here.path)).mode & 0o777).toBe(0o600);
});

test("marks of a version that knew fewer of them, or more, are still known", async () => {
  await using here = await host();
  const kept = { machineId: "m1", node: "srv129", fencedAt: 4, rejoiningSince: 3, isOfALaterVersion: true }; // prettier-ignore
  await writeFile(here.path, JSON.stringify(kept));
  const marks = await here.open();
  expect(marks.trouble()).toBeNull();
  expect(marks.current()).toEqual({ ...noMarks, fencedAt: 4, rejoiningSince: 3 });
});

test("a running primary is marked once, again when a day has passed or its timeline is another", async () => {
  await using here = await host();
  const marks = await here.open();
  const writtenAt = async () => (await stat(here.path)).mtimeMs;
  await marks.note(primary, hour);
  expect(marks.current().wasPrimary).toEqual({ at: hour, timeline: 3 });
  const first = await writtenAt();
  await marks.note(primary, 2 * hour);
  await marks.note(standby, 2 * hour);
  await marks.note({ ...primary, status: "stopped", role: null }, 2 * hour);
  expect([marks.current().wasPrimary?.at, await writtenAt()]).toEqual([hour, first]);
  await marks.note(primary, 26 * hour);
  expect(marks.current().wasPrimary?.at).toBe(26 * hour);
  await marks.note({ ...primary, timeline: 4 }, 27 * hour);
  expect((await here.open()).current().wasPrimary).toEqual({ at: 27 * hour, timeline: 4 });
});

test("a standby that streams again needs no rebuild any more, whoever brought it there", async () => {
  await using here = await host();
  const marks = await here.open();
  const diverged = { at: 1, timeline: 4, because: "it went further" };
  const needsRebuild = { at: 5, because: "no WAL left" };
  await marks.mark({ diverged, needsRebuild, restartingSince: 4 });
  await marks.note({ ...standby, receiver: null }, hour);
  expect(marks.current().diverged).toEqual(diverged);
  await marks.note(standby, hour);
  expect(marks.current()).toEqual(noMarks);
});

test("another host's, another node's, damaged or lost marks count for nothing, and are told", async () => {
  await using here = await host();
  await (await here.open()).mark({ fencedAt: 4 });
  await here.keptMarks();
  const troubleOf = async (node?: string) => {
    const marks = await here.open(node);
    expect(marks.current()).toEqual(noMarks);
    return marks.trouble();
  };
  expect(await troubleOf("srv159")).toMatch(/is of node srv129 on this host/);
  await here.becomes("m2");
  expect(await troubleOf()).toMatch(/on another host/);
  await writeFile(here.path, "{");
  expect(await troubleOf()).toMatch(/can't be read/);
  await rm(here.path);
  expect(await troubleOf()).toMatch(/is gone/);
});

test.each([
  ["a primary that runs", primary],
  ["a standby that streams", standby],
])("lost marks are no trouble any more once %s says what it is", async (_what, seen) => {
  await using here = await host();
  await here.keptMarks();
  const marks = await here.open();
  await marks.note({ ...seen, status: "stopped", role: null }, hour);
  expect(marks.trouble()).toMatch(/is gone/);
  await marks.note(seen, hour);
  expect([marks.trouble(), (await here.open()).trouble()]).toEqual([null, null]);
});
