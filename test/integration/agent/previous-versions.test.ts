import { createHash } from "node:crypto";
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createPreviousVersions } from "#agent/adapters/previous-versions.ts";
import type { FileSnapshot } from "#agent/ports.ts";

let folder = "";
let time = 1_000;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "castellan-versions-"));
});
afterEach(() => rm(folder, { recursive: true }));

const limits = { versions: 3, bytes: 1_000 };
const open = (wanted = limits) => createPreviousVersions(folder, wanted, () => (time += 1));

function version(text: string, mode = 0o640): FileSnapshot {
  const hash = createHash("sha256").update(text, "latin1").digest("hex");
  return { text, hash, mode, uid: 26, gid: 27, modifiedAt: 0 };
}

async function filesKept(): Promise<readonly string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true });
  return found.filter((entry) => entry.isFile()).map((e) => join(e.parentPath, e.name));
}

test("a version comes back byte for byte with its mode and owner, also after a restart", async () => {
  const bytes = "caf\u00e9 \u0000\u00ff\r\n";
  await (await open()).keep("/data/pg_hba.conf", version(bytes));
  const { hash } = version(bytes);
  const again = await open();
  expect(await again.find("/data/pg_hba.conf", hash)).toMatchObject({ text: bytes, hash, mode: 0o640, uid: 26, gid: 27 }); // prettier-ignore
  expect(await again.find("/data/other.conf", hash)).toBeNull();
  const [path = ""] = await filesKept();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
});

test("the oldest go first, the accepted one and the newest stay", async () => {
  const versions = await open();
  versions.pin("/f", version("0").hash);
  for (const text of ["0", "1", "2", "3", "4"]) await versions.keep("/f", version(text));
  const left = [];
  for (const text of ["0", "1", "2", "3", "4"]) {
    if ((await versions.find("/f", version(text).hash)) !== null) left.push(text);
  }
  expect(left).toEqual(["0", "3", "4"]);
  expect(await filesKept()).toHaveLength(3);
});

test("all files together stay below the limit of bytes", async () => {
  const versions = await open({ versions: 100, bytes: 1_000 });
  for (let n = 0; n < 20; n += 1) await versions.keep(`/f${n % 2}`, version(`${n}`.repeat(200)));
  const kept = await filesKept();
  const sizes = await Promise.all(kept.map(async (path) => (await stat(path)).size));
  expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(1_000);
  expect(await versions.find("/f1", version("19".repeat(200)).hash)).not.toBeNull();
});

test("the same bytes are one version, with the mode that they have now", async () => {
  const versions = await open();
  await versions.keep("/f", version("a"));
  await versions.keep("/f", version("b"));
  await versions.keep("/f", version("a", 0o600));
  await versions.keep("/f", version("a", 0o600));
  expect(await filesKept()).toHaveLength(2);
  expect(await versions.find("/f", version("a").hash)).toMatchObject({ mode: 0o600 });
});

test("a version whose bytes were damaged is none", async () => {
  const versions = await open();
  await versions.keep("/f", version("whole"));
  const [path = ""] = await filesKept();
  expect(await readFile(path, "utf8")).toBe("whole");
  await writeFile(path, "torn");
  expect(await versions.find("/f", version("whole").hash)).toBeNull();
});

test("bytes that a crash left beside their version are gone after a restart", async () => {
  await (await open()).keep("/f", version("whole"));
  const [path = ""] = await filesKept();
  await writeFile(join(dirname(path), `.${basename(path)}.castellan-0123456789abcdef.tmp`), "who");
  const again = await open();
  expect(await filesKept()).toEqual([path]);
  expect(await again.find("/f", version("whole").hash)).not.toBeNull();
});
