import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, rename, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import type { FileSnapshot, FileVersions } from "../ports.ts";
import { temporaryName, writeAtomically } from "./atomic-write.ts";
import { fileFailure, orNull } from "./file-failure.ts";
import { makeFolder } from "./make-folder.ts";
import { fileNameFor } from "./record-folder.ts";

export type VersionLimits = {
  /** Of one file. */
  readonly versions: number;
  /** Of all files together. */
  readonly bytes: number;
};

type Entry = {
  readonly directory: string;
  readonly name: string;
  readonly at: number;
  readonly hash: string;
  readonly bytes: number;
};

/** `000001763830000000-0640-26-26-<sha256>`: when it was kept, and the mode and owner that it had. */
const versionName = /^(\d{15})-([0-7]{4})-(\d+)-(\d+)-([0-9a-f]{64})$/;

/**
 * Bytes that watched files have had: `<folder>/<file's path>/<version>`, mode 0600, so that an accepted version can be
 * brought back with nobody sending it here. The oldest go first; a pinned version and a file's newest never.
 */
export async function createPreviousVersions(
  folder: string,
  limits: VersionLimits,
  now: () => number,
): Promise<FileVersions> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const entries = await load(folder);
  const pinned = new Map<string, string>();
  let queue: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const result = queue.then(work);
    queue = result.catch(() => undefined); // told to whoever asked
    return result;
  };
  const directoryOf = (path: string): string => join(folder, fileNameFor(path));

  async function keep(path: string, version: FileSnapshot): Promise<void> {
    const directory = directoryOf(path);
    const name = [
      String(now()).padStart(15, "0"),
      (version.mode & 0o7777).toString(8).padStart(4, "0"),
      version.uid,
      version.gid,
      version.hash,
    ].join("-");
    const known = entries.findLast((e) => e.directory === directory && e.hash === version.hash);
    const newest = entries.findLast((e) => e.directory === directory);
    // The same bytes again (a step that runs twice, a look) must not push older versions out.
    if (known !== undefined && known === newest && known.name.slice(15) === name.slice(15)) return;
    try {
      if (known === undefined) {
        await makeFolder(directory);
        const bytes = Buffer.from(version.text, "latin1");
        await writeAtomically(join(directory, name), bytes, { mode: 0o600 });
        entries.push({ directory, name, at: now(), hash: version.hash, bytes: bytes.length });
      } else {
        await rename(join(directory, known.name), join(directory, name));
        entries.splice(entries.indexOf(known), 1);
        entries.push({ ...known, name, at: now() });
      }
      await trim(directory);
    } catch (error) {
      // Not the file that it is a version of: it may lie on another disk, where there is space.
      throw fileFailure("written", directory, error);
    }
  }

  async function trim(directory: string): Promise<void> {
    const isFree = (e: Entry): boolean =>
      pinned.get(e.directory) !== e.hash &&
      entries.findLast((other) => other.directory === e.directory) !== e;
    const ofFile = () => entries.filter((e) => e.directory === directory);
    for (const entry of ofFile().filter(isFree)) {
      if (ofFile().length <= limits.versions) break;
      await drop(entry);
    }
    const total = () => entries.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const entry of entries.filter(isFree)) {
      if (total() <= limits.bytes) break;
      await drop(entry);
    }
  }

  async function drop(entry: Entry): Promise<void> {
    await orNull(unlink(join(entry.directory, entry.name)));
    entries.splice(entries.indexOf(entry), 1);
  }

  return {
    idle: () => inTurn(async () => undefined),
    keep: (path, version) => inTurn(() => keep(path, version)),
    pin: (path, hash) => {
      if (hash === null) pinned.delete(directoryOf(path));
      else pinned.set(directoryOf(path), hash);
    },
    find: (path, hash) =>
      inTurn(async () => {
        const directory = directoryOf(path);
        const entry = entries.findLast((e) => e.directory === directory && e.hash === hash);
        const place = entry === undefined ? null : join(directory, entry.name);
        const bytes = place === null ? null : await orNull(readFile(place));
        const [, , mode, uid, gid] = versionName.exec(entry?.name ?? "") ?? [];
        if (entry === undefined || bytes === null || sha256(bytes) !== hash) return null;
        return {
          text: bytes.toString("latin1"),
          hash,
          mode: Number.parseInt(mode ?? "0600", 8),
          uid: Number(uid),
          gid: Number(gid),
          modifiedAt: entry.at,
        };
      }),
  };
}

async function load(folder: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const child of await readdir(folder)) {
    const directory = join(folder, child);
    for (const name of (await orNull(readdir(directory))) ?? []) {
      if (temporaryName.test(name)) await orNull(unlink(join(directory, name)));
      const [, at, , , , hash] = versionName.exec(name) ?? [];
      const found = hash === undefined ? null : await orNull(stat(join(directory, name)));
      if (hash === undefined || found === null) continue;
      entries.push({ directory, name, at: Number(at), hash, bytes: found.size });
    }
  }
  return entries.sort((a, b) => a.at - b.at);
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
