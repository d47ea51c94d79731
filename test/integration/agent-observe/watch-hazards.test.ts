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
import { waitFor } from "#test/harness/wait-for.ts";
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

test("a loop of symbolic links is told as a file that is gone", async () => {
  await using bed = await createBed();
  await bed.accept();
  rmSync(bed.conf);
  symlinkSync("postgresql.conf", bed.conf);
  await waitFor(() => bed.drift(bed.conf).at(-1)?.summary.endsWith("is gone"), inTime);
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
