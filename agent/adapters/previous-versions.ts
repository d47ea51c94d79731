import { createHash } from "node:crypto";
import { mkdir, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { orNull } from "./file-failure.ts";
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
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
  const names = ((await orNull(readdir(directory))) ?? []).filter((n) => /^\d{15}-/.test(n)).sort();
  // The same bytes again (a step that runs twice) must not push older versions out.
  if (names.at(-1)?.endsWith(`-${hash}`)) return;
  await writeAtomically(join(directory, `${String(at).padStart(15, "0")}-${hash}`), bytes, {
    mode: 0o600,
  });
  for (const name of names.slice(0, Math.max(0, names.length + 1 - keptVersions))) {
    await unlink(join(directory, name));
  }
}
