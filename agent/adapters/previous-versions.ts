import { createHash } from "node:crypto";
import { readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { fileFailure, orNull } from "./file-failure.ts";
import { makeFolder } from "./make-folder.ts";
import { fileNameFor } from "./record-folder.ts";
import { writeAtomically } from "./atomic-write.ts";

const keptVersions = 20;

/** Keeps what a file held before we replaced it: `<folder>/<file's path>/<time>-<hash>`, newest 20. */
export async function keepPreviousVersion(
  folder: string,
  path: string,
  bytes: Buffer,
  at: number,
): Promise<void> {
  const directory = join(folder, fileNameFor(path));
  try {
    await makeFolder(directory);
    const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
    const found = (await orNull(readdir(directory))) ?? [];
    const names = found.filter((n) => /^\d{15}-/.test(n)).sort();
    // The same bytes again (a step that runs twice) must not push older versions out.
    if (names.at(-1)?.endsWith(`-${hash}`)) return;
    const version = join(directory, `${String(at).padStart(15, "0")}-${hash}`);
    await writeAtomically(version, bytes, { mode: 0o600 });
    for (const name of names.slice(0, Math.max(0, names.length + 1 - keptVersions))) {
      await unlink(join(directory, name));
    }
  } catch (error) {
    // Not the file that is being replaced: it may lie on another disk, where there is space.
    throw fileFailure("written", directory, error);
  }
}
