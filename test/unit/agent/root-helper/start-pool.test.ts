import { spawn } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs"; // prettier-ignore
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startPool } from "#agent/root-helper/start-pool.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** A pool that prints its arguments into its log, and ends. */
function echoing(words: readonly string[], sockets: readonly string[] = []) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "castellan-pool-")));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const program = join(folder, "kingbasecluster");
  copyFileSync(realpathSync("/bin/echo"), program);
  const start = {
    arguments: words,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    capabilities: [],
    libraryPath: null,
    sockets: sockets.map((name) => join(folder, name)),
    statusFile: null,
    log: join(folder, "pool.log"),
  };
  return { folder, pool: { pidFile: join(folder, "pool.pid"), program, ports: [9999], start } };
}

test("who was down stays down: a pool is never started so that it forgets", async () => {
  const { pool } = echoing(["start", "-D", "--discard-status", "-dD"]);
  await expect(startPool(pool, async () => undefined)).rejects.toThrow(/did not start/);
  await waitFor(() => readFileSync(pool.start.log, "latin1") !== "");
  expect(readFileSync(pool.start.log, "latin1")).toBe("start -d\n");
});

test("a link in the place of its log leads to nothing that only root's group may write", async () => {
  const { pool, folder } = echoing(["start"]);
  const target = join(folder, "of-roots-group");
  writeFileSync(target, "");
  chmodSync(target, 0o660);
  chmodSync(folder, 0o755);
  symlinkSync(target, pool.start.log);
  const start = { ...pool.start, uid: 65_534, gid: 65_534 };
  // As sudo gives it to root.
  if (process.getuid?.() === 0) process.setgroups?.([0]);
  await expect(startPool({ ...pool, start }, async () => undefined)).rejects.toThrow(/EACCES|EPERM/); // prettier-ignore
  expect(readFileSync(target, "latin1")).toBe("");
});

test("a socket that somebody listens on is not taken for a dead pool's", async () => {
  const { pool, folder } = echoing(["start"], [".s.PGSQL.9999"]);
  const socket = join(folder, ".s.PGSQL.9999");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  try {
    const refused = startPool(pool, async () => undefined);
    await expect(refused).rejects.toThrow(`${socket} is in use`);
    expect(existsSync(socket)).toBe(true);
    expect(existsSync(pool.start.log)).toBe(false);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

test("what ends while it is looked at is no other pool", async () => {
  const { pool } = echoing(["-e", "0"]);
  copyFileSync(realpathSync("/usr/bin/perl"), pool.program);
  const children = `
    $SIG{INT} = sub { exit };
    for (1 .. 100) { fork or do { $0 = "kingbasecluster: child"; print "."; sleep 60; exit } }`;
  const parent = spawn(pool.program, ["-e", `$| = 1; ${children}`]);
  let born = "";
  parent.stdout.on("data", (chunk: Buffer) => (born += chunk.toString()));
  await waitFor(() => parent.exitCode !== null && born.length === 100, { what: "the orphans" });
  const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
  await expect(startPool(pool, soon)).rejects.toThrow("did not start");
});

/** As the vendor's script starts it: its files are in their default places, so no option names them. */
test("a pool that lives is left alone though its pid file is cut off and no -f is among its arguments", async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "castellan-pool-")));
  const program = join(folder, "kingbasecluster");
  copyFileSync(realpathSync("/bin/sleep"), program);
  const pidFile = join(folder, "pool.pid");
  writeFileSync(pidFile, "");
  const living = spawn(program, ["300"], { stdio: "ignore" });
  await new Promise((resolve) => living.once("spawn", resolve));
  const end = new Promise((resolve) => living.once("exit", (_code, signal) => resolve(signal)));
  const start = {
    arguments: ["300"],
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    capabilities: [],
    libraryPath: null,
    sockets: [],
    statusFile: null,
    log: join(folder, "pool.log"),
  };
  try {
    const pool = { pidFile, program, ports: [9999], start };
    await expect(startPool(pool, async () => undefined)).rejects.toThrow(/is this pool/);
  } finally {
    living.kill("SIGINT");
    expect(await end).toBe("SIGINT");
    rmSync(folder, { recursive: true });
  }
});
