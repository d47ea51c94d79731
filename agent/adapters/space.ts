import { statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";

type Space = {
  readonly mountPoint: string;
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly freeInodes: number;
};

/** Where a person finds the filesystem of an existing path in `df`: the highest folder that is still on it. */
function mountPointOf(path: string): string {
  const { dev } = statSync(path);
  let at = path;
  while (at !== "/" && statSync(dirname(at)).dev === dev) at = dirname(at);
  return at;
}

/** The space where something could not be written; null where even that can't be asked. */
export function measureSpace(path: string): Space | null {
  try {
    let at = path;
    while (statSync(at, { throwIfNoEntry: false }) === undefined) at = dirname(at);
    const space = statfsSync(at);
    return {
      mountPoint: mountPointOf(at),
      freeBytes: space.bavail * space.bsize,
      totalBytes: space.blocks * space.bsize,
      freeInodes: space.ffree,
    };
  } catch {
    return null;
  }
}

/** `0 of 390131712 bytes and 2954 inodes are free on /var/lib/postgresql` */
export function printSpace({ mountPoint, freeBytes, totalBytes, freeInodes }: Space): string {
  return `${freeBytes} of ${totalBytes} bytes and ${freeInodes} inodes are free on ${mountPoint}`;
}
