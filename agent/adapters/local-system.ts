import {
  lstat,
  opendir,
  readFile,
  readlink,
  realpath,
  stat as statOf,
  statfs,
} from "node:fs/promises";
import os from "node:os";
import { answering } from "./answering.ts";
import { errnoOf } from "./file-failure.ts";

/**
 * Reads of this host's kernel tables and file status: nothing here changes anything. What does not answer is no answer:
 * it throws Failure STALLED.
 */

/** Text of a small kernel or state file, as utf8 where it names files; null where it is missing or unreadable. */
export async function readSmallFile(
  path: string,
  encoding: "latin1" | "utf8" = "latin1",
): Promise<string | null> {
  return answering(path, () => readFile(path, encoding).catch(() => null));
}

/** Where a symbolic link points; null where there is none or it may not be read. */
export async function linkTarget(path: string): Promise<string | null> {
  return answering(path, () => readlink(path).catch(() => null));
}

/** With every symbolic link resolved; the path itself where that fails. */
export async function resolvedPath(path: string): Promise<string> {
  return answering(path, () => realpath(path).catch(() => path));
}

export type FileSignature = {
  readonly kind: "file" | "directory" | "other";
  readonly device: bigint;
  readonly inode: bigint;
  readonly size: bigint;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedNs: bigint;
  /** Also moves when the mode or the owner changes, and can't be set back by `touch`. */
  readonly changedNs: bigint;
};

/**
 * What tells a file's content from its earlier one without reading it; links followed, but for one that leads back to
 * itself. null: nothing there.
 */
export function fileSignature(path: string): Promise<FileSignature | null> {
  return answering(path, () => signatureOf(path));
}

async function signatureOf(path: string): Promise<FileSignature | null> {
  try {
    const stat = await statOf(path, { bigint: true }).catch((error: unknown) => {
      if (errnoOf(error) === "ELOOP") return lstat(path, { bigint: true });
      throw error;
    });
    return {
      kind: stat.isFile() ? "file" : stat.isDirectory() ? "directory" : "other",
      device: stat.dev,
      inode: stat.ino,
      size: stat.size,
      mode: Number(stat.mode),
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      modifiedNs: stat.mtimeNs,
      changedNs: stat.ctimeNs,
    };
  } catch {
    return null;
  }
}

export function sameSignature(a: FileSignature | null, b: FileSignature | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.kind === b.kind &&
    a.device === b.device &&
    a.inode === b.inode &&
    a.size === b.size &&
    a.modifiedNs === b.modifiedNs &&
    a.changedNs === b.changedNs
  );
}

/** Free bytes for this user, and all, at an existing path; null where it can't be asked. */
export async function spaceAt(
  path: string,
): Promise<{ readonly freeBytes: number; readonly totalBytes: number } | null> {
  const space = await answering(path, () => statfs(path).catch(() => null));
  if (space === null) return null;
  return { freeBytes: space.bavail * space.bsize, totalBytes: space.blocks * space.bsize };
}

/** At most so many names of a directory, in no order; null where it can't be read. */
export function namesIn(path: string, most: number): Promise<readonly string[] | null> {
  return answering(path, () => readNames(path, most));
}

async function readNames(path: string, most: number): Promise<readonly string[] | null> {
  const names: string[] = [];
  try {
    for await (const entry of await opendir(path, { bufferSize: 1_024 })) {
      names.push(entry.name);
      if (names.length >= most) break;
    }
    return names;
  } catch {
    return null;
  }
}

export type LocalAddress = {
  readonly nic: string;
  readonly address: string;
  readonly prefix: number;
  readonly family: "ipv4" | "ipv6";
};

/** Addresses of interfaces that are up, loopback too. */
export function localAddresses(): readonly LocalAddress[] {
  return Object.entries(os.networkInterfaces()).flatMap(([nic, addresses]) =>
    (addresses ?? []).map((address) => ({
      nic,
      address: address.address,
      prefix: Number(address.cidr?.split("/")[1] ?? (address.family === "IPv4" ? 32 : 128)),
      family: address.family === "IPv4" ? ("ipv4" as const) : ("ipv6" as const),
    })),
  );
}

export type HostIdentity = {
  readonly hostname: string;
  readonly kernel: string;
  readonly architecture: string;
  readonly memoryBytes: number;
  readonly user: { readonly name: string; readonly uid: number; readonly gid: number };
};

export function hostIdentity(): HostIdentity {
  const { username, uid, gid } = os.userInfo();
  return {
    hostname: os.hostname(),
    kernel: os.release(),
    architecture: os.machine(),
    memoryBytes: os.totalmem(),
    user: { name: username, uid, gid },
  };
}

/**
 * The C library's version as the running process has it, the same number that `ldd --version` prints. It comes from
 * Node's own report (Node docs, process.report), so that no program needs to be run. null on another libc.
 */
export function glibcVersion(): string | null {
  // Else the report resolves the names of open sockets, which can hang. In Node since 20.13, not yet in its types.
  Reflect.set(process.report, "excludeNetwork", true);
  const report: unknown = process.report.getReport();
  const header = isRecord(report) ? report["header"] : null;
  const version = isRecord(header) ? header["glibcVersionRuntime"] : null;
  return typeof version === "string" ? version : null;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
