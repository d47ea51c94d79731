import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadHelperSettings } from "#agent/root-helper/helper-settings.ts";

const good = {
  user: "kingbase",
  pool: { pidFile: "/run/pool.pid", program: "/usr/sbin/pgpool", ports: [9999], start: null },
  cron: { file: "/etc/cron.d/KINGBASECRON", user: "kingbase", folder: "/home/kingbase/db/bin" },
  vip: null,
  stateDirectory: "/var/lib/castellan-root",
};
/** What root and / are on a host: whoever runs the tests, and a folder of its own. */
let trust = { uid: process.getuid?.() ?? 0, from: "/" };
let folder = "";
let file = "";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "castellan-settings-"));
  trust = { ...trust, from: folder };
  file = join(folder, "root-helper.json");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("settings that only their owner can write are read", () => {
  write(good);
  expect(loadHelperSettings(file, trust)).toEqual(good);
  write({ ...good, pool: null, cron: null });
  expect(loadHelperSettings(file, trust).pool).toBeNull();
});

test("a file that somebody else could have written is not believed", () => {
  write(good);
  chmodSync(file, 0o664);
  expect(load).toThrow(/can be written by its group or by everyone/);
  chmodSync(file, 0o644);
  expect(() => loadHelperSettings(file, { ...trust, uid: trust.uid + 1 })).toThrow(
    /belongs to uid/,
  );
});

test("a folder that others may write to makes the file in it worthless", () => {
  write(good);
  chmodSync(folder, 0o777);
  expect(load).toThrow(/castellan-settings-.* can be written by/);
});

test("a symbolic link and a folder in the file's place are refused", () => {
  const other = join(folder, "other.json");
  writeFileSync(other, JSON.stringify(good));
  symlinkSync(other, file);
  expect(load).toThrow(/can't be opened/);
  rmSync(file);
  mkdirSync(file);
  expect(load).toThrow(/no regular file/);
});

test("a missing file is named", () => {
  expect(load).toThrow(/root-helper\.json does not exist/);
});

test("a file of an earlier version knows no virtual address", () => {
  const { vip: _vip, ...earlier } = good;
  write(earlier);
  expect(loadHelperSettings(file, trust).vip).toBeNull();
  const vip = { address: "192.168.4.200/24", nic: "eth0", label: "eth0:2" };
  write({ ...good, vip });
  expect(loadHelperSettings(file, trust).vip).toEqual(vip);
});

const vip = { address: "192.168.4.200/24", nic: "eth0", label: "eth0:2" };
test.each([
  ["an address without its prefix", { ...vip, address: "192.168.4.200" }, /with its prefix/],
  ["an address of IPv6", { ...vip, address: "fe80::1/64" }, /IPv4/],
  ["no address", { ...vip, address: "999.1.1.1/24" }, /IPv4/],
  ["a prefix that is none", { ...vip, address: "192.168.4.200/99" }, /with its prefix/],
  ["an option for an interface", { ...vip, nic: "-j" }, /at most 15/],
  ["a label that is too long", { ...vip, label: "interface-name-0:2" }, /at most 15/],
  ["an unknown field of it", { ...vip, shell: "sh" }, /unknown field shell/],
])("a virtual address with %s is refused", (_what, value, message) => {
  write({ ...good, vip: value });
  expect(load).toThrow(message);
});

test.each([
  ["an unknown field", { ...good, shell: "/bin/sh" }, /unknown field shell/],
  ["a missing field", { ...good, stateDirectory: undefined }, /lacks the field stateDirectory/],
  ["a path with ..", { ...good, stateDirectory: "/var/../etc" }, /has \.\. in it/],
  ["a relative path", { ...good, pool: { ...good.pool, pidFile: "pool.pid" } }, /absolute path/],
  ["a path with a blank", { ...good, pool: { ...good.pool, program: "/bin/sh -c" } }, /absolute/],
  ["a port out of range", { ...good, pool: { ...good.pool, ports: [70_000] } }, /1 to 65535/],
  ["no port", { ...good, pool: { ...good.pool, ports: [] } }, /1 to 16 ports/],
  ["a user with a blank", { ...good, user: "king base" }, /name of an OS user/],
  ["a list", [good], /must be an object/],
])("%s is refused", (_what, value, message) => {
  write(value);
  expect(load).toThrow(message);
});

test("rubbish is refused with the file's name", () => {
  writeFileSync(file, "{", { mode: 0o644 });
  expect(load).toThrow(/root-helper\.json is wrong/);
});

test("how a pool is started is plain words, paths and numbers", () => {
  const start = {
    arguments: ["-n", "-f", "/etc/pgpool2/pgpool.conf"],
    uid: 0,
    gid: 0,
    capabilities: ["net_admin"],
    libraryPath: null,
    sockets: ["/tmp/.s.PGSQL.9999"],
    statusFile: null,
    log: "/var/log/pool.log",
  };
  const withStart = (more: object) => ({ ...good, pool: { ...good.pool, start: { ...start, ...more } } }); // prettier-ignore
  write(withStart({}));
  expect(loadHelperSettings(file, trust).pool?.start).toEqual(start);
  for (const [more, message] of [
    [{ arguments: ["-f", "a b"] }, /only letters, digits/],
    [{ arguments: ["$(id)"] }, /only letters, digits/],
    [{ capabilities: ["sys_admin"] }, /net_admin and net_raw are known/],
    [{ sockets: ["relative"] }, /absolute path/],
    [{ uid: -1 }, /must be a number/],
    [{ shell: "sh" }, /unknown field shell/],
  ] as const) {
    write(withStart(more));
    expect(load).toThrow(message);
  }
});

function write(value: unknown): void {
  writeFileSync(file, JSON.stringify(value), { mode: 0o644 });
}

function load(): unknown {
  return loadHelperSettings(file, trust);
}
