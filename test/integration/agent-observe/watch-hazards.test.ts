import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createFileObserver } from "#agent/observe/files.ts";
import { watchDirectory } from "#agent/watch/watch-directory.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import type { NodePorts } from "./node-ports.ts";
import { createBed, inTime } from "./watch-bed.ts";

test("a directory that is removed and made anew at once is watched on, though it may have the same inode", async () => {
  await using bed = await createBed();
  await bed.accept();
  const data = join(bed.folder, "data");
  for (let round = 1; round <= 20; round += 1) {
    rmSync(data, { recursive: true });
    mkdirSync(data);
    writeFileSync(bed.conf, `port = ${round}\n`);
    await waitFor(() => bed.drift(bed.conf).at(-1)?.detail.includes(`+port = ${round}\n`), inTime);
    writeFileSync(bed.conf, `port = ${round}00\n`);
    await waitFor(() => bed.drift(bed.conf).at(-1)?.detail.includes(`+port = ${round}00\n`), {
      ...inTime,
      what: `the write after round ${round}`,
    });
  }
});

test("a file that is a symbolic link is told when what it leads to is written or renamed over", async () => {
  await using bed = await createBed();
  const elsewhere = join(bed.folder, "elsewhere");
  mkdirSync(elsewhere);
  const real = join(elsewhere, "real.conf");
  renameSync(bed.conf, real);
  symlinkSync(real, bed.conf);
  await bed.accept();
  await bed.watch.poll({ again: true });
  appendFileSync(real, "fsync = off\n");
  await waitFor(() => bed.drift(bed.conf).at(-1)?.detail.includes("+fsync = off"), inTime);
  writeFileSync(`${real}.new`, "port = 1\n");
  renameSync(`${real}.new`, real);
  await waitFor(() => bed.drift(bed.conf).at(-1)?.detail.includes("+port = 1\n"), inTime);
});

test("a directory that is a symbolic link is followed to where it leads now", async () => {
  await using bed = await createBed();
  await bed.accept();
  const data = join(bed.folder, "data");
  for (const name of ["first", "second"]) {
    mkdirSync(join(bed.folder, name));
    writeFileSync(join(bed.folder, name, "postgresql.conf"), `port = 1 # ${name}\n`);
    rmSync(data, { recursive: true });
    symlinkSync(join(bed.folder, name), data);
    await bed.watch.poll();
    expect(bed.drift(bed.conf).at(-1)?.detail).toContain(`+port = 1 # ${name}\n`);
    appendFileSync(join(bed.folder, name, "postgresql.conf"), `# more of ${name}\n`);
    await waitFor(
      () => bed.drift(bed.conf).at(-1)?.detail.includes(`+# more of ${name}\n`),
      inTime,
    );
  }
});

test.each([
  ["a FIFO", (path: string) => execFileSync("mkfifo", [path])],
  ["a directory", (path: string) => mkdirSync(path)],
  ["a symbolic link to a device", (path: string) => symlinkSync("/dev/zero", path)],
  ["a loop of symbolic links", (path: string) => symlinkSync("postgresql.conf", path)],
])("%s in a file's place is told as no file, and holds up nothing", async (_, place) => {
  await using bed = await createBed();
  await bed.accept();
  const before = readFileSync(bed.conf);
  rmSync(bed.conf);
  place(bed.conf);
  await waitFor(() => bed.drift(bed.conf).at(-1)?.summary.endsWith("is no file any more"), inTime);
  appendFileSync(bed.hba, "host all all ::/0 trust\n");
  await waitFor(() => bed.drift(bed.hba).length === 1, inTime);
  rmSync(bed.conf, { recursive: true });
  writeFileSync(bed.conf, before);
  await waitFor(() => bed.drift(bed.conf).at(-1)?.severity === "info", inTime);
});

test("of a file that can't be read it is told whose it is and when it was changed", async () => {
  await using bed = await createBed();
  const { uid, gid, mode, mtimeMs } = statSync(bed.conf);
  const known = { owner: `${uid}:${gid}`, mode: mode & 0o7777, modifiedAt: Math.floor(mtimeMs) };
  const look = (ports: Partial<NodePorts["ports"]>) =>
    createFileObserver({ ...bed.node.ports, ...ports }).look({
      path: bed.conf,
      format: "server-conf",
    });
  const { settings, files } = bed.node.ports;
  const limits = { ...settings.limits, watchedFileBytes: 1 };
  expect(await look({ settings: { ...settings, limits } })).toMatchObject({ state: "too-large", ...known }); // prettier-ignore
  // Root may read everything.
  const read = () => Promise.reject(new Error("EACCES: permission denied"));
  expect(await look({ files: { ...files, read } })).toMatchObject({ state: "unreadable", ...known }); // prettier-ignore
});

test("other bytes of the same length and time of modification are another content", async () => {
  await using bed = await createBed();
  const { atime, mtime } = statSync(bed.conf);
  await bed.accept();
  writeFileSync(bed.conf, readFileSync(bed.conf, "latin1").replace("5432", "5433"));
  utimesSync(bed.conf, atime, mtime);
  await waitFor(() => bed.drift(bed.conf).at(-1)?.detail.includes("+port = 5433"), inTime);
});

test("a write through another name of the same file is seen by the poll", async () => {
  await using bed = await createBed();
  const other = join(bed.folder, "other-name");
  linkSync(bed.conf, other);
  await bed.accept();
  appendFileSync(other, "fsync = off\n");
  await bed.watch.poll();
  expect(bed.drift(bed.conf).at(-1)?.detail).toContain("+fsync = off");
});

test("a log that grows beside the watched files makes nobody look at them", async () => {
  await using bed = await createBed();
  const data = join(bed.folder, "data");
  const told: (string | null)[] = [];
  await using watching = watchDirectory(
    data,
    (name) => name === "pg_hba.conf",
    (name) => told.push(name),
  );
  await watching.rearmIfReplaced();
  for (let line = 0; line < 50; line += 1) appendFileSync(join(data, "server.log"), "checkpoint\n");
  // The kernel tells what happens in a directory in order.
  appendFileSync(bed.hba, "host all all ::/0 trust\n");
  await waitFor(() => told.includes("pg_hba.conf"), inTime);
  expect(new Set(told)).toEqual(new Set([null, "pg_hba.conf"]));
});

test("a state directory that can't be written is told, ends when it can, and hides no change", async () => {
  await using bed = await createBed();
  await bed.accept();
  const records = join(bed.folder, "state/watch");
  renameSync(records, `${records}.away`);
  writeFileSync(records, "no directory");
  appendFileSync(bed.conf, "fsync = off\n");
  appendFileSync(bed.hba, "host all all ::/0 trust\n");
  await waitFor(() => bed.drift(bed.conf).length === 1 && bed.drift(bed.hba).length === 1, inTime);
  await bed.watch.poll();
  const told = () => bed.events.filter(({ cause }) => cause === "watch:not-recorded");
  expect(told()).toMatchObject([{ kind: "guard-finding", severity: "warning" }]);
  rmSync(records);
  renameSync(`${records}.away`, records);
  await bed.watch.poll();
  expect(told().slice(1)).toMatchObject([{ kind: "guard-cleared", severity: "info" }]);
});

test("more included files than the limit are told, and how it is raised; the others are watched", async () => {
  await using bed = await createBed();
  const { limits } = bed.node.ports.settings;
  Object.assign(limits, { includedFiles: 2 });
  const conf = join(bed.folder, "data/conf.d");
  mkdirSync(conf);
  for (const name of ["a", "b", "c"]) writeFileSync(join(conf, `${name}.conf`), "fsync = on\n");
  appendFileSync(bed.conf, "include_dir 'conf.d'\n");
  await bed.watch.poll();
  const told = () => bed.events.filter(({ cause }) => cause === "watch:too-many-files");
  expect(told()).toMatchObject([{ kind: "guard-finding", severity: "warning" }]);
  expect(told()[0]?.detail).toContain("limits.includedFiles");
  expect(bed.files.watched().filter(({ origin }) => origin)).toHaveLength(2);
  rmSync(join(conf, "c.conf"));
  await bed.watch.poll();
  expect(told()[1]).toMatchObject({ kind: "guard-cleared", severity: "info" });
});

test("a file that was included long before it is first seen is told as included", async () => {
  await using bed = await createBed();
  const long = new Date(Date.now() - 60_000);
  const extra = join(bed.folder, "data/extra.conf");
  writeFileSync(extra, "work_mem = 4MB\n");
  utimesSync(extra, long, long);
  const { clock } = bed.node.ports;
  Object.assign(bed.node.ports, { clock: { ...clock, now: () => clock.now() + 60_000 } });
  appendFileSync(bed.conf, "include 'extra.conf'\n");
  await bed.watch.poll();
  const facts = await bed.files.observe({ now: true });
  expect(facts.find(({ path }) => path === extra)).toMatchObject({ origin: "include" });
});
