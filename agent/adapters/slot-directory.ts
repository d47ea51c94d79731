import { readdir, readFile, rm, stat } from "node:fs/promises";
import { answering } from "./answering.ts";
import { orNull } from "./file-failure.ts";
import { fileSignature, sameSignature, type FileSignature } from "./local-system.ts";

/**
 * What tells a slot from another of the same name: the server makes a directory for each slot and removes it with the
 * slot. Inodes are given out again at once (ext4), births are not. Devices get other numbers at a boot: left out.
 */
export type SlotIdentity = {
  readonly inode: string;
  /** "0" where the file system keeps no time of birth. */
  readonly bornNs: string;
};

/** PostgreSQL's name, and KingbaseES's. */
const folders = ["pg_replslot", "sys_replslot"];

/** null where there is no such slot, or its directory can't be seen. */
export async function slotIdentity(
  dataDirectory: string,
  name: string,
): Promise<SlotIdentity | null> {
  for (const folder of folders) {
    try {
      const directory = `${dataDirectory}/${folder}/${name}`;
      const { ino, birthtimeNs } = await answering(directory, () =>
        stat(directory, { bigint: true }),
      );
      return { inode: String(ino), bornNs: String(birthtimeNs) };
    } catch {
      // The other name, or none.
    }
  }
  return null;
}

/** As long a file system's clock may stand still: what was made within it can't be told from what is made next. */
const settledMs = 100;

/** slotIdentity for looks again and again: asked anew only when slots were made or dropped since. */
export function createSlotLook(
  dataDirectory: string,
  now: () => number,
): (names: readonly string[]) => Promise<ReadonlyMap<string, SlotIdentity | null>> {
  let known = new Map<string, SlotIdentity | null>();
  let before: FileSignature | null = null;
  return async (names) => {
    if (names.length === 0) return new Map();
    const lookedAt = now();
    let slots: FileSignature | null = null;
    for (const folder of folders) slots ??= await fileSignature(`${dataDirectory}/${folder}`);
    if (!sameSignature(before, slots)) known = new Map();
    for (const name of names) {
      if (!known.has(name)) known.set(name, await slotIdentity(dataDirectory, name));
    }
    const isSettled = slots !== null && lookedAt - Number(slots.changedNs / 1_000_000n) > settledMs;
    before = isSettled ? slots : null;
    return known;
  };
}

/**
 * Whether a server that can't be asked has no such slot, as its directory of slots shows: only a running server makes
 * one. null where there is no such directory to look into.
 */
export async function isSlotMissing(dataDirectory: string, name: string): Promise<boolean | null> {
  for (const folder of folders) {
    const slots = `${dataDirectory}/${folder}`;
    const names = await orNull(answering(slots, () => readdir(slots)));
    if (names !== null) return !names.includes(name);
  }
  return null;
}

/** A directory that can't be looked at is there. */
export async function isDirectoryGone(path: string): Promise<boolean> {
  return answering(path, () => stat(path)).then(
    () => false,
    (error: NodeJS.ErrnoException) => error.code === "ENOENT",
  );
}

/**
 * Slots of a stopped server, physical ones: byte 80 of a slot's state begins the database that a logical one decodes
 * (source of PostgreSQL 9.6 to 15, slot.c: magic, checksum, version, length, then name and database).
 */
export async function physicalSlots(dataDirectory: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { path, name } of await slotDirectories(dataDirectory)) {
    const state = await orNull(readFile(`${path}/state`));
    if (state !== null && state.length >= 84 && state.readUInt32LE(80) === 0) found.push(name);
  }
  return found.sort();
}

/** Of a stopped server: what they hold back was for a life that is over. */
export async function removeSlotDirectories(dataDirectory: string): Promise<void> {
  for (const { path } of await slotDirectories(dataDirectory)) {
    await rm(path, { recursive: true, force: true });
  }
}

async function slotDirectories(
  dataDirectory: string,
): Promise<readonly { readonly path: string; readonly name: string }[]> {
  for (const folder of folders) {
    const slots = `${dataDirectory}/${folder}`;
    const names = await orNull(readdir(slots));
    if (names !== null) return names.map((name) => ({ path: `${slots}/${name}`, name }));
  }
  return [];
}
