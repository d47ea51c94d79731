import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { poolStatus, reloadPool } from "#agent/root-helper/pool-process.ts";

let folder = "";
let pidFile = "";
const node = realpathSync(process.execPath);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "castellan-pool-"));
  pidFile = join(folder, "pool.pid");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the process behind the pid file is signalled when it runs the pool's own binary", async () => {
  const script =
    'process.on("SIGHUP", () => process.exit(7)); process.stdout.write("up"); setInterval(() => {}, 1000)';
  const child = spawn(node, ["-e", script], { stdio: ["ignore", "pipe", "ignore"] });
  await new Promise((resolve) => child.stdout.once("data", resolve));
  // pgpool writes the zero byte too.
  writeFileSync(pidFile, `${child.pid}\0`);
  const pool = { pidFile, program: node, ports: [9999], start: null };
  expect(poolStatus(pool)).toBe(`running ${child.pid}`);
  expect(reloadPool(pool)).toBe(`reloaded ${child.pid}`);
  expect(await new Promise((resolve) => child.once("exit", resolve))).toBe(7);
  expect(poolStatus(pool)).toBe("stopped");
});

test("a pid file that leads to another program signals nobody", () => {
  writeFileSync(pidFile, `${process.pid}\n`);
  const pool = { pidFile, program: "/usr/sbin/pgpool", ports: [9999], start: null };
  expect(() => reloadPool(pool)).toThrow(/which is .* and not \/usr\/sbin\/pgpool/);
});

test.each(["1", "-1", "0", "", "12 13", "12\n13", "kill"])(
  "the content %j signals nobody",
  (text) => {
    writeFileSync(pidFile, text);
    expect(() => reloadPool({ pidFile, program: node, ports: [9999], start: null })).toThrow();
  },
);

test("a pipe in the pid file's place does not hold us up", () => {
  expect(spawnSync("mkfifo", [pidFile]).status).toBe(0);
  expect(() => poolStatus({ pidFile, program: node, ports: [9999], start: null })).toThrow(
    /no regular file/,
  );
});

test("no pid file is a stopped pool", () => {
  expect(poolStatus({ pidFile, program: node, ports: [9999], start: null })).toBe("stopped");
});
