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

/** Who must own what the helper trusts, and from which folder down. Tests name themselves and a folder of theirs. */
export type Trust = { readonly uid: number; readonly from: string };
const root: Trust = { uid: 0, from: "/" };

/**
 * The content of a file that only root can have written: a regular file, no link, root's, not writable by group or
 * others, and the same for every folder above it.
 */
export function readTrusted(file: string, code: FailureCode, trust: Trust = root): string {
  assertTrustedFolder(dirname(file), code, trust);
  const content = readRegular(file, 64 * 1024, (stats) => {
    const problem = whyUntrusted(stats, trust);
    if (problem !== null) throw new Failure(code, `${file} ${problem}`, { hint: fixFor(file) });
  });
  if (content === null) throw new Failure(code, `${file} does not exist`, { hint: installHint });
  return content;
}

/** A program that root is to run: itself and every folder above it must be root's, with links resolved. */
export function assertTrustedProgram(file: string, code: FailureCode, trust: Trust = root): string {
  const real = realpathSync(file);
  assertTrustedFolder(dirname(real), code, trust);
  const problem = whyUntrusted(lstatSync(real), trust);
  if (problem !== null) throw new Failure(code, `${real} ${problem}`, { hint: fixFor(real) });
  return real;
}

function assertTrustedFolder(folder: string, code: FailureCode, trust: Trust): void {
  for (let at = folder; ; at = dirname(at)) {
    const stats = lstatSync(at, { throwIfNoEntry: false });
    const problem = stats === undefined ? null : whyUntrusted(stats, trust);
    if (problem !== null) throw new Failure(code, `${at} ${problem}`, { hint: fixFor(at) });
    if (at === trust.from || at === dirname(at)) return;
  }
}

function whyUntrusted(stats: Stats, trust: Trust): string | null {
  if (stats.uid !== trust.uid) return `belongs to uid ${stats.uid} and could be replaced by it`;
  return (stats.mode & 0o022) === 0 ? null : "can be written by its group or by everyone";
}

const installHint = "As root, run: castellan-root install";
function fixFor(path: string): string {
  return `As root, run: chown root:root ${path} && chmod go-w ${path}`;
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
