import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import {
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { copyAttributes } from "#agent/adapters/copy-attributes.ts";
import { createFiles } from "#agent/adapters/files.ts";
import { createProgramRunner, createPrograms } from "#agent/adapters/programs.ts";
import { systemClock } from "#shared/time.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "castellan-files-"));
  await mkdir(join(folder, "open"));
  await mkdir(join(folder, "shut"));
});
afterEach(() => rm(folder, { recursive: true }));

function open(expected: [string, string | null][] = []) {
  return createFiles({
    allowedPaths: [join(folder, "open"), join(folder, "single.conf")],
    stateDirectory: join(folder, "state"),
    mostBytes: 1_000,
    kept: { versions: 20, bytes: 10_000_000 },
    clock: systemClock,
    expect: (path, hash) => expected.push([path, hash]),
  });
}

test("a replaced file keeps its mode, its other bytes, and its previous version in the state directory", async () => {
  const expected: [string, string | null][] = [];
  const files = await open(expected);
  const path = join(folder, "open/pg_hba.conf");
  const before = "# caf\u00e9 \u00ff\r\nhost all\n";
  await writeFile(path, Buffer.from(before, "latin1"));
  await chmod(path, 0o640);
  const hash = await files.replace(path, `${before}added\n`);
  expect((await readFile(path)).toString("latin1")).toBe(`${before}added\n`);
  expect((await stat(path)).mode & 0o7777).toBe(0o640);
  expect(hash).toBe(
    createHash("sha256")
      .update(await readFile(path))
      .digest("hex"),
  );
  expect(await files.read(path)).toMatchObject({ text: `${before}added\n`, hash, mode: 0o640 });
  expect(expected).toEqual([[path, hash]]);
  const [kept = ""] = await readdir(join(folder, "state/previous"));
  const [version = ""] = await readdir(join(folder, "state/previous", kept));
  const previous = join(folder, "state/previous", kept, version);
  expect((await readFile(previous)).toString("latin1")).toBe(before);
  expect((await stat(previous)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(folder, "open"))).toEqual(["pg_hba.conf"]);
  expect(await readdir(join(folder, "state/pending"))).toEqual([]);
});

test("a new file is made with the mode asked for, a single allowed file may be made itself", async () => {
  const files = await open();
  await files.replace(join(folder, "open/new.conf"), "a", 0o600);
  await files.replace(join(folder, "single.conf"), "b", 0o644);
  expect((await stat(join(folder, "open/new.conf"))).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, "single.conf"))).mode & 0o777).toBe(0o644);
});

test("writes outside the allow-list are refused, whatever links and dots stand in the path", async () => {
  const files = await open();
  await writeFile(join(folder, "shut/secret"), "mine");
  await symlink(join(folder, "shut"), join(folder, "open/door"));
  await symlink(join(folder, "shut/secret"), join(folder, "open/link"));
  await symlink(join(folder, "nowhere"), join(folder, "open/dangling"));
  const refused = { code: "REFUSED" };
  for (const path of [
    "shut/new",
    "open/../shut/new",
    "open/door/new",
    "open/door/deep/er",
    "open/link",
    "open/dangling",
    "opened/x",
    "single.conf.other",
  ]) {
    const where = `${folder}/${path}`;
    await expect(files.replace(where, "x"), path).rejects.toMatchObject(refused);
    await expect(files.makeDirectory(where, 0o700), path).rejects.toMatchObject(refused);
  }
  await expect(files.remove(join(folder, "shut/secret"))).rejects.toMatchObject(refused);
  await expect(
    files.rename(join(folder, "open/link"), join(folder, "shut/x")),
  ).rejects.toMatchObject(refused);
  expect(await readFile(join(folder, "shut/secret"), "utf8")).toBe("mine");
  expect(await readdir(join(folder, "shut"))).toEqual(["secret"]);
});

test("a link inside the allow-list stays a link: what it points to is replaced", async () => {
  const files = await open();
  await writeFile(join(folder, "open/real"), "1");
  await symlink("real", join(folder, "open/link"));
  await files.replace(join(folder, "open/link"), "2");
  expect(await readlink(join(folder, "open/link"))).toBe("real");
  expect(await readFile(join(folder, "open/real"), "utf8")).toBe("2");
  await files.remove(join(folder, "open/link"));
  expect(await readdir(join(folder, "open"))).toEqual(["real"]);
});

test("what a crash left half-written is swept at the next start, and nothing else", async () => {
  const files = await open();
  await files.replace(join(folder, "open/a.conf"), "whole");
  const left = join(folder, "open/.a.conf.castellan-0123456789abcdef.tmp");
  const foreign = join(folder, "open/.a.conf.castellan-ffffffffffffffff.tmp");
  await writeFile(left, "half");
  await writeFile(foreign, "not noted, so not ours");
  await writeFile(join(folder, "state/pending/x.json"), JSON.stringify({ key: "x", record: left }));
  await open();
  expect((await readdir(join(folder, "open"))).sort()).toEqual([
    ".a.conf.castellan-ffffffffffffffff.tmp",
    "a.conf",
  ]);
  expect(await readdir(join(folder, "state/pending"))).toEqual([]);
});

test("reading says what is wrong with what is no readable file, and null where there is none", async () => {
  const files = await open();
  expect(await files.read(join(folder, "open/missing"))).toBeNull();
  expect(await files.read(join(folder, "open/missing/deeper"))).toBeNull();
  await writeFile(join(folder, "open/large"), "x".repeat(1_001));
  const unusable = { code: "RESOURCE_MISSING" };
  await expect(files.read(join(folder, "open/large"))).rejects.toMatchObject(unusable);
  await expect(files.read(join(folder, "open"))).rejects.toMatchObject(unusable);
});

test("directories are made with their parents and removed only while they are the same ones", async () => {
  const files = await open();
  const deep = join(folder, "open/a/b/c");
  expect(await files.makeDirectory(deep, 0o700)).toEqual([
    join(folder, "open/a"),
    join(folder, "open/a/b"),
    deep,
  ]);
  expect(await files.makeDirectory(deep, 0o700)).toEqual([]);
  await rm(join(folder, "open/a"), { recursive: true });
  await mkdir(join(folder, "open/a"));
  await writeFile(join(folder, "open/a/theirs"), "");
  const found = await files.stat(join(folder, "open/a"));
  if (found === null) throw new Error("it was just made");
  const another = { ...found, inode: found.inode + 1 };
  const reborn = { ...found, bornNs: String(BigInt(found.bornNs) - 1n) };
  for (const other of [another, reborn]) {
    await expect(files.removeTree(join(folder, "open/a"), other)).rejects.toMatchObject({
      code: "REFUSED",
    });
  }
  expect(await readdir(join(folder, "open/a"))).toEqual(["theirs"]);
  await files.removeTree(join(folder, "open/a"), found);
  expect(await files.stat(join(folder, "open/a"))).toBeNull();
  await files.removeTree(join(folder, "open/a"), found);
});

test("a file system is measured at the nearest parent that is there", async () => {
  const files = await open();
  const measured = await files.filesystem(join(folder, "open/not/yet"));
  expect(measured.measuredAt).toBe(join(folder, "open"));
  expect(measured.freeBytes).toBeGreaterThan(0);
  expect(measured.freeBytes).toBeLessThanOrEqual(measured.totalBytes);
});

test("programs, their libraries and the agent's own state are never written, though the allow-list's root holds them", async () => {
  for (const name of ["db/bin", "db/lib", "db/etc", "state/secrets"]) {
    await mkdir(join(folder, "open", name), { recursive: true });
  }
  const files = await createFiles({
    allowedPaths: [join(folder, "open")],
    programDirectories: [join(folder, "open/db/bin")],
    stateDirectory: join(folder, "open/state"),
    mostBytes: 1_000,
    kept: { versions: 20, bytes: 10_000_000 },
    clock: systemClock,
    expect: () => undefined,
  });
  for (const path of ["db/bin/sys_ctl", "db/lib/evil.so", "state/secrets/database"]) {
    await expect(files.replace(join(folder, "open", path), "x")).rejects.toMatchObject({
      code: "REFUSED",
      message: expect.stringContaining("never"),
    });
  }
  await files.replace(join(folder, "open/db/etc/kingbase.conf"), "x");
});

test("what somebody saved between our look and our write is not lost", async () => {
  const path = join(folder, "open/pg_hba.conf");
  await writeFile(path, "host all\n");
  const files = await open();
  const seen = await files.read(path);
  await writeFile(path, "host all\n# theirs\n");
  const edit = files.replace(path, `${seen?.text}ours\n`, undefined, seen?.hash);
  await expect(edit).rejects.toMatchObject({ code: "OPERATION_CONFLICT", retryable: true });
  // Saved while the new file is already written beside the old one.
  const late = await createFiles({
    allowedPaths: [join(folder, "open")],
    stateDirectory: join(folder, "state"),
    mostBytes: 1_000,
    kept: { versions: 20, bytes: 10_000_000 },
    clock: systemClock,
    expect: () => writeFileSync(path, "host all\n# theirs, late\n"),
  });
  await expect(late.replace(path, "ours\n")).rejects.toMatchObject({ code: "OPERATION_CONFLICT" });
  expect(await readFile(path, "utf8")).toBe("host all\n# theirs, late\n");
  expect(await readdir(join(folder, "open"))).toEqual(["pg_hba.conf"]);
});

test("a version is brought back with its mode, only over what was said to stand there, and is no edit of ours", async () => {
  const expected: [string, string | null][] = [];
  const files = await open(expected);
  const path = join(folder, "open/pg_hba.conf");
  await writeFile(path, "drifted\n");
  const drifted = await files.read(path);
  if (drifted === null) throw new Error("just written");
  const { uid, gid } = drifted;
  const accepted = { text: "accepted\n", mode: 0o640, uid, gid };
  await expect(files.restore(path, accepted, "0".repeat(64))).rejects.toMatchObject({
    code: "OPERATION_CONFLICT",
  });
  expect(await readFile(path, "utf8")).toBe("drifted\n");
  await files.restore(path, accepted, drifted.hash);
  expect(await files.read(path)).toMatchObject(accepted);
  expect(await files.versions.find(path, drifted.hash)).toMatchObject({ text: "drifted\n" });
  const back = await files.read(path);
  await files.restore(path, null, back?.hash ?? null);
  expect(await files.read(path)).toBeNull();
  await files.restore(path, accepted, null);
  expect(await files.read(path)).toMatchObject(accepted);
  expect(expected).toEqual([]);
  expect(await readdir(join(folder, "open"))).toEqual(["pg_hba.conf"]);
});

test.each([
  ["an extended attribute", "user.castellan", "6b657074"],
  // user::rw-, user:1001:r--, group::---, mask::r--, other::---; its mode says 0640.
  [
    "an access control list",
    "system.posix_acl_access",
    "0200000001000600ffffffff02000400e903000004000000ffffffff10000400ffffffff20000000ffffffff",
  ],
])("%s of a file stays when it is replaced or put back", async (_, name, value) => {
  const programs = createPrograms(["/usr/bin", "/bin"], createProgramRunner({ home: folder }));
  // Perl is part of every Debian; Node has no call for it. Numbers of setxattr and getxattr by architecture.
  const [set, get] = process.arch === "arm64" ? [5, 8] : [188, 191];
  const attribute = async (script: string): Promise<string> => {
    const names = 'my ($path, $name, $value) = ($ARGV[0], $ARGV[1], pack("H*", $ARGV[2]));';
    const ran = await programs.run("perl", ["-e", `${names} ${script}`, path, name, value]);
    return ran.stdout + ran.stderr.join("\n");
  };
  const read = `my $found = "\\0" x length($value); syscall(${get}, $path, $name, $found, length($found)); print unpack("H*", $found)`;
  const path = join(folder, "open/kingbase.conf");
  await writeFile(path, "port = 1\n", { mode: 0o640 });
  expect(await attribute(`print syscall(${set}, $path, $name, $value, length($value), 0)`)).toBe(
    "0",
  );
  const files = await createFiles({
    allowedPaths: [join(folder, "open")],
    stateDirectory: join(folder, "state"),
    mostBytes: 1_000,
    kept: { versions: 20, bytes: 10_000_000 },
    copyAttributes: (from, to) => copyAttributes(programs, from, to),
    clock: systemClock,
    expect: () => undefined,
  });
  const accepted = await files.read(path);
  if (accepted === null) throw new Error("just written");
  await files.replace(path, "port = 2\n");
  expect(await readFile(path, "utf8")).toBe("port = 2\n");
  expect(await attribute(read)).toBe(value);
  expect(Date.now() - (await stat(path)).mtimeMs).toBeLessThan(60_000);
  await files.restore(path, accepted, (await files.read(path))?.hash ?? null);
  expect(await files.read(path)).toMatchObject({ text: "port = 1\n", mode: accepted.mode });
  expect(await attribute(read)).toBe(value);
});

test("no more is read of a file than it was long when it was opened", async () => {
  const files = await open();
  // The kernel gives its length as 0; whatever comes has come since.
  expect(await files.read("/proc/self/smaps")).toMatchObject({ text: "" });
});
