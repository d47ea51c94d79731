import { spawn } from "node:child_process";
import { copyFileSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { startPool } from "#agent/root-helper/start-pool.ts";

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
