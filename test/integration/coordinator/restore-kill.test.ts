import { spawnSync } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { beforeAll, expect, test } from "vitest";
import { finishInterruptedRestore, offlineStore } from "#coordinator/offline-store.ts";
import { openStore } from "#coordinator/store/sqlite.ts";
import { projectRoot } from "#test/harness/project-root.ts";
import { makeStateFolder } from "./test-coordinator.ts";
import { self, emptyFolder, read } from "./backup-folder.ts";

const program = join(projectRoot(), "dist/test/restore.js");

beforeAll(async () => {
  await build({
    stdin: {
      contents: `import { offlineStore } from "#coordinator/offline-store.ts";
        import { userInfo } from "node:os";
        const [state, file] = process.argv.slice(2);
        offlineStore(state, { pid: process.pid, uid: userInfo().uid }).restore(file, Date.now());`,
      resolveDir: projectRoot(),
      loader: "ts",
    },
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    define: { CASTELLAN_CRASH_POINTS: "true" },
    external: ["libsql"],
    banner: {
      js: 'import { createRequire as __r } from "node:module"; const require = __r(import.meta.url);',
    },
    logLevel: "error",
  });
});

test("killed at any instant a restore has not begun, or is finished by the next start", async () => {
  using elsewhere = emptyFolder();
  using fresh = await makeStateFolder();
  const file = join(elsewhere.path, "backup");
  writeFileSync(file, offlineStore(fresh.path, self).backup(1_000));
  const moves = [...readdirSync(fresh.path), "-wal", "-shm"].length;
  const points = ["restore:staged", "restore:decided"];
  for (let n = 1; n <= moves; n += 1)
    points.push(`restore:moved-out@${n}`, `restore:moved-in@${n}`);
  let killed = 0;
  for (const point of points) {
    using old = await makeStateFolder();
    const oldKey = read(old, "key.pem");
    const { signal, stderr } = spawnSync(process.execPath, [program, old.path, file], {
      env: { PATH: process.env["PATH"], CASTELLAN_CRASH_AT: point },
      encoding: "utf8",
    });
    if (signal !== "SIGKILL") {
      expect(stderr).toBe("");
      continue;
    }
    killed += 1;
    finishInterruptedRestore(old.path, process.pid);
    using store = openStore({ file: join(old.path, "journal.db"), keptEvents: 1_000, now: 0 });
    expect(store.check().problems).toEqual([]);
    const isRestored = point !== "restore:staged";
    expect(read(old, "key.pem") === read(fresh, "key.pem"), point).toBe(isRestored);
    const kept = readdirSync(old.path).find((name) => name.startsWith("replaced-"));
    expect(kept !== undefined, point).toBe(isRestored);
    if (kept !== undefined) expect(read(old, `${kept}/key.pem`)).toBe(oldKey);
  }
  expect(killed).toBeGreaterThan(15);
});
