import { createHash, randomBytes } from "node:crypto";
import { constants, type BigIntStats } from "node:fs";
import {
  chmod,
  chown,
  lstat,
  mkdir,
  open,
  readdir,
  rename,
  rm,
  rmdir,
  stat,
  unlink,
  type FileHandle,
} from "node:fs/promises";
import { basename, dirname, join, normalize } from "node:path";
import * as z from "zod";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { Clock } from "#shared/time.ts";
import { isSameDirectory } from "../decide/directory-identity.ts";
import type { FileSnapshot, FileStat, Files } from "../ports.ts";
import { answering } from "./answering.ts";
import { createAllowedPaths } from "./allowed-paths.ts";
import {
  syncDirectory,
  temporaryName,
  writeAtomically,
  type AtomicWriteOptions,
} from "./atomic-write.ts";
import { errnoOf, fileFailure, orNull } from "./file-failure.ts";
import { measureFilesystem } from "./filesystem.ts";
import { createPreviousVersions, type VersionLimits } from "./previous-versions.ts";
import { openRecordFolder } from "./record-folder.ts";

export type FilesOptions = {
  readonly allowedPaths: readonly string[];
  /** Directories whose programs may be run: nothing is written to them, nor to their libraries. */
  readonly programDirectories?: readonly string[];
  readonly stateDirectory: string;
  /** Larger files are not read. */
  readonly mostBytes: number;
  /** Of what is kept of former contents. */
  readonly kept: VersionLimits;
  readonly clock: Clock;
  /** Access lists, security label and extended attributes of a file, for the one that takes its place. */
  readonly copyAttributes?: (from: string, to: string) => Promise<void>;
  /** Told before a file of ours changes (hash null: before it is removed), and of what, so that the watch knows it. */
  readonly expect: (path: string, hash: string | null, from?: string | null) => void;
};

/** Opens the adapter and sweeps what a crash of an earlier run left half-written. */
export async function createFiles(options: FilesOptions): Promise<Files> {
  const programs = options.programDirectories ?? [];
  const libraries = programs.map((directory) => join(dirname(directory), "lib"));
  const never = [...programs, ...libraries, options.stateDirectory];
  const allowed = createAllowedPaths(options.allowedPaths, never);
  await mkdir(options.stateDirectory, { recursive: true, mode: 0o700 });
  const versions = await createPreviousVersions(
    join(options.stateDirectory, "previous"),
    options.kept,
    () => options.clock.now(),
  );
  // Every temporary file is noted here before it is made: exactly those are swept, nothing by guess.
  const pending = await openRecordFolder(join(options.stateDirectory, "pending"), z.string());
  for (const { key, record } of pending.entries()) {
    if (temporaryName.test(basename(record)) && !(await isSwept(record))) continue;
    await pending.delete(key);
  }

  const replace = async (
    path: string,
    text: string,
    mode?: number,
    editedHash?: string,
  ): Promise<string> => {
    const target = await allowed.target(path);
    const before = await readSnapshot(target, Number.MAX_SAFE_INTEGER);
    if (editedHash !== undefined && before?.hash !== editedHash) throw changedMeanwhile(path);
    const bytes = Buffer.from(text, "latin1");
    if (before !== null) await versions.keep(path, before);
    const hash = sha256(bytes);
    for (const name of new Set([path, target])) options.expect(name, hash, before?.hash ?? null);
    await put(path, target, bytes, before, {
      mode: mode ?? before?.mode ?? 0o600,
      ...(before === null ? {} : { owner: { uid: before.uid, gid: before.gid } }),
    });
    return hash;
  };

  const put = async (
    path: string,
    target: string,
    bytes: Buffer,
    before: FileSnapshot | null,
    attributes: Pick<AtomicWriteOptions, "mode" | "owner">,
  ): Promise<void> => {
    const note = randomBytes(8).toString("hex");
    try {
      await writeAtomically(target, bytes, {
        ...attributes,
        beforeCreate: (temporary) => pending.put(note, temporary),
        ...(before === null || options.copyAttributes === undefined
          ? {}
          : {
              dress: (temporary) =>
                options.copyAttributes?.(target, temporary) ?? Promise.resolve(),
            }),
        beforeRename: async () => {
          const now = await readSnapshot(target, Number.MAX_SAFE_INTEGER);
          if (now?.hash !== before?.hash) throw changedMeanwhile(path);
        },
      });
    } finally {
      await pending.delete(note);
    }
  };

  const restore: Files["restore"] = async (path, to, from) => {
    const target = await allowed.target(path);
    const before = await readSnapshot(target, Number.MAX_SAFE_INTEGER);
    if ((before?.hash ?? null) !== from) throw changedMeanwhile(path);
    if (before !== null) await versions.keep(path, before);
    if (to !== null) {
      const { text, mode, uid, gid } = to;
      await put(path, target, Buffer.from(text, "latin1"), before, { mode, owner: { uid, gid } });
      return;
    }
    const entry = await allowed.entry(path);
    const isGone = (await orNull(unlink(entry))) !== null;
    crashPoint("file:removed", entry);
    if (isGone) await syncDirectory(dirname(entry));
  };

  return {
    read: (path) =>
      naming("read", path, () => answering(path, () => readSnapshot(path, options.mostBytes))),
    replace: (path, text, mode, editedHash) =>
      naming("written", path, () => replace(path, text, mode, editedHash)),
    remove: (path) =>
      naming("removed", path, async () => {
        const entry = await allowed.entry(path);
        for (const name of new Set([path, entry])) options.expect(name, null);
        const isGone = (await orNull(unlink(entry))) !== null;
        crashPoint("file:removed", entry);
        if (isGone) await syncDirectory(dirname(entry));
      }),
    edited: options.expect,
    restore: (path, to, from) => naming("restored", path, () => restore(path, to, from)),
    attributes: (path) =>
      naming("looked at", path, async () => {
        const found = await orNull(stat(path));
        return found === null
          ? null
          : { mode: found.mode & 0o7777, uid: found.uid, gid: found.gid };
      }),
    setAttributes: (path, { mode, uid, gid }) =>
      naming("changed", path, async () => {
        const target = await allowed.target(path);
        const found = await stat(target);
        if (found.uid !== uid || found.gid !== gid) await chown(target, uid, gid);
        await chmod(target, mode);
      }),
    versions,
    makeDirectory: (path, mode) =>
      naming("made", path, async () => makeDirectories(await allowed.directory(path), mode)),
    stat: (path) =>
      naming("looked at", path, async () => {
        const found = await orNull(lstat(path, { bigint: true }));
        return found === null ? null : toFileStat(found);
      }),
    list: (path) => naming("listed", path, async () => (await readdir(path)).sort()),
    rename: (from, to) =>
      naming("renamed", from, async () => {
        const [source, target] = [await allowed.entry(from), await allowed.entry(to)];
        await rename(source, target);
        crashPoint("file:moved", target);
        await syncDirectory(dirname(target));
        if (dirname(source) !== dirname(target)) await syncDirectory(dirname(source));
      }),
    removeDirectory: (path) =>
      naming("removed", path, async () => {
        await rmdir(await allowed.directory(path));
        crashPoint("directory:removed", path);
      }),
    removeTree: (path, identity) =>
      naming("removed", path, async () => {
        const entry = await allowed.entry(path);
        const found = await orNull(lstat(entry, { bigint: true }));
        if (found === null) return;
        if (!isSameDirectory(toFileStat(found), identity)) {
          throw new Failure("REFUSED", `${path} is not the directory that was made: left alone`, {
            hint: "Somebody replaced it meanwhile. Look at it, and remove it by hand if it should go.",
          });
        }
        await removeTree(entry);
        crashPoint("tree:removed", entry);
      }),
    filesystem: (path) =>
      naming("measured", path, () => answering(path, () => measureFilesystem(normalize(path)))),
  };
}

/** A filesystem that became read-only must not keep the agent from starting: swept at a later start. */
async function isSwept(path: string): Promise<boolean> {
  return orNull(unlink(path)).then(
    () => true,
    () => false,
  );
}

/** An editor saved it in the same moment: what it wrote must not be lost. */
function changedMeanwhile(path: string): Failure {
  return new Failure("OPERATION_CONFLICT", `${path} was changed while it was edited`, {
    hint: "Nothing was written; trying again edits what stands there now.",
    retryable: true,
  });
}

async function naming<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileFailure(action, path, error);
  }
}

async function readSnapshot(path: string, mostBytes: number): Promise<FileSnapshot | null> {
  // O_NONBLOCK: opening a FIFO that somebody put there must not hang the agent.
  const file = await orNull(open(path, constants.O_RDONLY | constants.O_NONBLOCK));
  if (file === null) return null;
  try {
    const found = await file.stat();
    if (!found.isFile()) throw new Failure("RESOURCE_MISSING", `${path} is not a regular file`);
    if (found.size > mostBytes) {
      throw new Failure(
        "RESOURCE_MISSING",
        `${path} has ${found.size} bytes; ${mostBytes} is most`,
      );
    }
    const bytes = await readUpTo(file, found.size);
    return {
      text: bytes.toString("latin1"),
      hash: sha256(bytes),
      mode: found.mode & 0o7777,
      uid: found.uid,
      gid: found.gid,
      modifiedAt: found.mtimeMs,
    };
  } finally {
    await file.close();
  }
}

/** No further than it was long when it was opened: what grows for ever must not fill the memory. */
async function readUpTo(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(size);
  for (let at = 0; at < size;) {
    const { bytesRead } = await file.read(bytes, at, size - at, at);
    if (bytesRead === 0) return bytes.subarray(0, at);
    at += bytesRead;
  }
  return bytes;
}

async function makeDirectories(path: string, mode: number): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let at = path; (await orNull(stat(at))) === null; at = dirname(at)) missing.unshift(at);
  for (const directory of missing) {
    await mkdir(directory, { mode });
    crashPoint("directory:made", directory);
    await chmod(directory, mode); // past the umask
    await syncDirectory(dirname(directory));
  }
  if (missing.length === 0 && ((await stat(path)).mode & 0o7777) !== mode) await chmod(path, mode);
  return missing;
}

async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true });
  } catch (error) {
    // A mount point can be emptied but not removed: empty is all that was asked.
    if (errnoOf(error) !== "EBUSY" || (await readdir(path)).length > 0) throw error;
  }
  await syncDirectory(dirname(path));
}

function toFileStat(found: BigIntStats): FileStat {
  return {
    kind: found.isFile()
      ? "file"
      : found.isDirectory()
        ? "directory"
        : found.isSymbolicLink()
          ? "link"
          : "other",
    device: Number(found.dev),
    inode: Number(found.ino),
    bornNs: String(found.birthtimeNs),
    mode: Number(found.mode) & 0o7777,
    uid: Number(found.uid),
    gid: Number(found.gid),
    size: Number(found.size),
  };
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
