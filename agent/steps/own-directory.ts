import { dirname } from "node:path";
import * as z from "zod";
import { Failure } from "#shared/errors.ts";
import { isSameDirectory } from "../decide/directory-identity.ts";
import type { FileIdentity, StepContext } from "../ports.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";

/** `mode` is the one that it is made with; entries of an older agent have none. */
const DirectoryFacts = z.object({ path: z.string(), mode: z.int().optional() });

/** Makes the directory and its missing parents, each noted before it is made. Answers what it made, outermost first. */
export async function makeOwnDirectory(
  context: StepContext,
  path: string,
  mode: number,
): Promise<readonly string[]> {
  const missing: string[] = [];
  let there = path;
  for (; (await context.files.stat(there)) === null; there = dirname(there)) missing.unshift(there);
  // Ours: it may have been cut off between its making and its mode.
  const own = await ownFacts(context, ledgerKey.directory(there), DirectoryFacts);
  if (own?.mode !== undefined) await context.files.makeDirectory(there, own.mode);
  for (const directory of missing) {
    await noteOwn(context, ledgerKey.directory(directory), { path: directory, mode });
    await context.files.makeDirectory(directory, mode);
  }
  return missing;
}

/** Takes back an empty directory of this operation; says why where it stays. */
export async function removeOwnDirectory(
  context: StepContext,
  path: string,
): Promise<string | null> {
  const key = ledgerKey.directory(path);
  if ((await ownFacts(context, key, DirectoryFacts)) === null) return null;
  const found = await context.files.stat(path);
  if (found?.kind === "directory") {
    const entries = await context.files.list(path);
    if (entries.length > 0) return `${path} is kept: it holds ${entries.slice(0, 5).join(", ")}`;
    await context.files.removeDirectory(path);
  }
  await context.ledger.delete(key);
  return `${path} removed`;
}

/** Every directory of this operation below `prefix`, innermost first. */
export async function ownDirectories(
  context: StepContext,
  prefix = "/",
): Promise<readonly string[]> {
  const entries = await context.ledger.list(ledgerKey.directory(prefix));
  return entries
    .filter(({ entry }) => entry.operationId === context.operationId)
    .map(({ key }) => key.slice(ledgerKey.directory("").length))
    .sort((a, b) => b.length - a.length);
}

/** Of a directory that we made. */
export const MadeDirectory = z.object({
  device: z.number(),
  inode: z.number(),
  bornNs: z.string().default("0"),
});

export const TreeFacts = z.object({
  generation: z.int(),
  /** null until it was made: whatever stands there then must be empty. */
  identity: MadeDirectory.nullable(),
  /** There before us (a mount point): emptied, never removed. */
  preexisting: z.boolean(),
  /** Was seen to be ours and is being removed: what a crash leaves of it proves nothing any more. */
  removing: z.boolean().optional(),
});
export type TreeFacts = z.infer<typeof TreeFacts>;

/** An empty directory of ours for a copy. @throws Failure ALREADY_EXISTS for anything that holds something */
export async function claimTree(
  context: StepContext,
  path: string,
  generation: number,
): Promise<FileIdentity> {
  const key = ledgerKey.tree(path);
  const found = await context.files.stat(path);
  const known = await ownFacts(context, key, TreeFacts);
  if (found !== null) {
    if (found.kind !== "directory" || (await context.files.list(path)).length > 0) {
      throw new Failure("ALREADY_EXISTS", `${path} is not an empty directory`, {
        hint: "Nothing in it was touched. Move it away, or give the node another data directory.",
      });
    }
  } else {
    await makeOwnDirectory(context, dirname(path), 0o700);
  }
  // Made by an attempt of ours that died in between, or there before us?
  const preexisting = found !== null && (known === null || known.preexisting);
  await noteOwn(context, key, { generation, identity: null, preexisting });
  if (found === null) await context.files.makeDirectory(path, 0o700);
  const made = await context.files.stat(path);
  if (made === null) throw new Failure("INTERNAL", `${path} vanished while it was made`);
  const { device, inode, bornNs } = made;
  const identity = { device, inode, bornNs };
  await noteOwn(context, key, { generation, identity, preexisting });
  return identity;
}

/**
 * Takes the tree away if it still is the one that we made and `assertOurs` has nothing against what it holds; the
 * ledger forgets it. Answers a line for people.
 */
export async function removeOwnTree(
  context: StepContext,
  path: string,
  assertOurs: (tree: TreeFacts) => Promise<void>,
): Promise<string | null> {
  const key = ledgerKey.tree(path);
  const known = await ownFacts(context, key, TreeFacts);
  if (known === null) return null;
  const found = await context.files.stat(path);
  let line = `${path} was gone already`;
  if (found !== null) {
    if (known.identity === null) {
      // Died between noting and making: only an empty directory can be ours.
      if ((await context.files.list(path)).length > 0)
        return `${path} is kept: not empty, not ours`;
      if (!known.preexisting) await context.files.removeTree(path, found);
    } else if (isSameDirectory(found, known.identity) && known.removing !== true) {
      await assertOurs(known);
      await noteOwn(context, key, { ...known, removing: true });
    }
    if (known.identity !== null && known.preexisting) {
      await emptyTree(context, path, known.identity, found);
    } else if (known.identity !== null) {
      await context.files.removeTree(path, known.identity);
    }
    line = known.preexisting ? `${path} emptied` : `${path} removed`;
  }
  await context.ledger.delete(key);
  return line;
}

async function emptyTree(
  context: StepContext,
  path: string,
  identity: FileIdentity,
  found: FileIdentity,
): Promise<void> {
  if (!isSameDirectory(found, identity)) {
    throw new Failure("REFUSED", `${path} is not the directory that was used: left alone`);
  }
  // The control file first: without it no server starts on what a crash leaves here, standby marker or not.
  const names = await context.files.list(path);
  const inOrder = [...names].sort((a, b) => Number(b === "global") - Number(a === "global"));
  for (const name of inOrder) {
    const entry = `${path}/${name}`;
    const stat = await context.files.stat(entry);
    if (stat === null) continue;
    if (stat.kind === "directory") await context.files.removeTree(entry, stat);
    else await context.files.remove(entry);
  }
}
