import { stat, statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Files } from "../ports.ts";
import { orNull } from "./file-failure.ts";

/** Magic numbers of statfs(2), from the Linux man page and linux/magic.h. */
const types: ReadonlyMap<number, string> = new Map([
  [0xef53, "ext4"],
  [0x58465342, "xfs"],
  [0x9123683e, "btrfs"],
  [0x2fc12fc1, "zfs"],
  [0x01021994, "tmpfs"],
  [0x794c7630, "overlay"],
  [0x6969, "nfs"],
  [0xff534d42, "cifs"],
  [0x65735546, "fuse"],
]);

/** Space of the filesystem that `path` is on, or will be: its nearest existing parent is measured. */
export async function measureFilesystem(path: string): ReturnType<Files["filesystem"]> {
  let at = path;
  let found = await orNull(stat(at));
  while (found === null) {
    at = dirname(at);
    found = await orNull(stat(at));
  }
  const space = await statfs(at);
  return {
    measuredAt: at,
    device: found.dev,
    freeBytes: space.bavail * space.bsize,
    totalBytes: space.blocks * space.bsize,
    freeInodes: space.ffree,
    type: types.get(space.type) ?? `0x${space.type.toString(16)}`,
  };
}
