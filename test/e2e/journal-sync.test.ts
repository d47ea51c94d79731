import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { createJournalFile } from "#coordinator/store/journal-file.ts";
import { projectRoot } from "#test/harness/project-root.ts";

/** Writes one record after the other and says so on standard output, as the daemon tells its agents. */
const writer = `
import { openStore } from "#coordinator/store/sqlite.ts";
import { writeSync } from "node:fs";
const store = openStore({ file: process.argv[2], keptEvents: 1000, now: 1 });
for (let n = 0; n < 20; n += 1) {
  writeSync(1, "before " + n + "\\n");
  store.addEvent({ at: n, kind: "k", node: null, operationId: null, data: null });
  writeSync(1, "after " + n + "\\n");
}
store[Symbol.dispose]();
`;

test("a record is synced to the log before anything can be told that rests on it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "castellan-sync-"));
  try {
    const file = join(folder, "journal.db");
    const program = join(projectRoot(), "dist/test/journal-writer.js");
    createJournalFile(file);
    await build({
      stdin: { contents: writer, resolveDir: projectRoot(), loader: "ts" },
      outfile: program,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "node20",
      external: ["libsql"],
      banner: {
        js: 'import { createRequire as __r } from "node:module"; const require = __r(import.meta.url);',
      },
      logLevel: "error",
    });
    const trace = join(folder, "trace");
    const calls = "trace=write,pwrite64,fsync,fdatasync";
    const child = spawn("strace", ["-f", "-y", "-e", calls, "-o", trace, process.execPath, program, file]); // prettier-ignore
    const [status] = await once(child, "exit");
    expect(status, execFileSync("tail", ["-5", trace], { encoding: "utf8" })).toBe(0);
    // The log is new with its first record; from then on each record is written, synced, told, in this order.
    let isWritten = false;
    let isSynced = false;
    let told = 0;
    for (const line of readFileSync(trace, "utf8").split("\n")) {
      if (/"before \d+/.test(line)) {
        isWritten = false;
        isSynced = false;
      } else if (/pwrite64\(\d+<[^>]*journal\.db-wal>/.test(line)) {
        isWritten = true;
        isSynced = false;
      } else if (/(?:fsync|fdatasync)\(\d+<[^>]*journal\.db-wal>/.test(line)) {
        isSynced = true;
      } else if (/"after \d+/.test(line)) {
        expect([isWritten, isSynced], line).toEqual([true, true]);
        told += 1;
      }
    }
    expect(told).toBe(20);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
