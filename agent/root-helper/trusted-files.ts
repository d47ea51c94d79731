import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
  type Stats,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { Failure, type FailureCode } from "#shared/errors.ts";

/** Who must own what the helper trusts: root; tests that don't run as root name themselves. */
export type Trust = { readonly uid: number };
export const root: Trust = { uid: 0 };

/**
 * The content of a file that only root can have written: a regular file, no link, root's, not writable by group or
 * others, and the same for every folder above it.
 */
export function readTrusted(file: string, exit: FailureCode, trust: Trust = root): string {
  assertTrustedFolder(dirname(file), exit, trust);
  const content = readRegular(file, 64 * 1024, (stats) => {
    const problem = whyUntrusted(stats, trust);
    if (problem !== null) throw new Failure(exit, `${file} ${problem}; ${fixFor(file)}`);
  });
  if (content === null) throw new Failure(exit, `${file} does not exist; ${installHint}`);
  return content;
}

/** A program that root is to run: itself and every folder above it must be root's, with links resolved. */
export function assertTrustedProgram(file: string, exit: FailureCode, trust: Trust = root): string {
  const real = realpathSync(file);
  assertTrustedFolder(dirname(real), exit, trust);
  const problem = whyUntrusted(lstatSync(real), trust);
  if (problem !== null) throw new Failure(exit, `${real} ${problem}; ${fixFor(real)}`);
  return real;
}

function assertTrustedFolder(folder: string, exit: FailureCode, trust: Trust): void {
  for (let at = folder; ; at = dirname(at)) {
    const stats = lstatSync(at);
    const sticky =
      (stats.mode & constants.S_IFMT) === constants.S_IFDIR && (stats.mode & 0o1000) !== 0;
    // A test's folder lies below /tmp, which everyone may write to but nobody can rename others' entries in.
    if (!(sticky && trust.uid !== 0)) {
      const problem = whyUntrusted(stats, { uid: trust.uid }, 0);
      if (problem !== null) throw new Failure(exit, `${at} ${problem}; ${fixFor(at)}`);
    }
    if (at === dirname(at)) return;
  }
}

function whyUntrusted(stats: Stats, trust: Trust, also: number = trust.uid): string | null {
  if (stats.uid !== trust.uid && stats.uid !== also) {
    return `belongs to uid ${stats.uid} and could be replaced by it`;
  }
  return (stats.mode & 0o022) === 0 ? null : "can be written by its group or by everyone";
}

const installHint = "run castellan-root install as root";
function fixFor(path: string): string {
  return `as root, run: chown root:root ${path} && chmod go-w ${path}`;
}

/**
 * Reads a regular file without following a link and without being held up by a pipe; null when there is none. `inspect`
 * sees what was really opened.
 */
export function readRegular(
  file: string,
  limitBytes: number,
  inspect: (stats: Stats) => void = () => undefined,
): string | null {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (isMissing(error)) return null;
    throw new Failure("REFUSED", `${file} can't be opened: ${text(error)}`, { cause: error });
  }
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Failure("REFUSED", `${file} is no regular file`);
    if (stats.size > limitBytes) {
      throw new Failure("REFUSED", `${file} has ${stats.size} bytes, more than ${limitBytes}`);
    }
    inspect(stats);
    return readFileSync(descriptor, "latin1");
  } finally {
    closeSync(descriptor);
  }
}

export type Ownership = { readonly uid: number; readonly gid: number; readonly mode: number };

/** Writes beside, fsyncs, renames, fsyncs the folder. The name of the new file has a dot: cron and sudo ignore it. */
export function replaceFile(file: string, content: string, owner: Ownership): void {
  const beside = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString("hex")}`);
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const descriptor = openSync(beside, flags, 0o600);
  try {
    try {
      writeFileSync(descriptor, content, "latin1");
      fchownSync(descriptor, owner.uid, owner.gid);
      fchmodSync(descriptor, owner.mode);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(beside, file);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
  syncFolder(dirname(file));
}

/** Removes the file for good; nothing there is fine. */
export function removeFile(file: string): void {
  rmSync(file, { force: true });
  syncFolder(dirname(file));
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
