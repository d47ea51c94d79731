import { createHash } from "node:crypto";
import { dirname } from "node:path";
import * as z from "zod";
import type { StepContext } from "../ports.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { makeOwnDirectory } from "./own-directory.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { refuseOtherFile } from "./planned-file.ts";

/** A file outside the data directory that we wrote. `previous` is what stood there, kept in the host's own ledger. */
const FileFacts = z.object({
  /** The step that takes it back. */
  madeBy: z.enum(["node-files", "regime"]),
  writtenHash: z.string(),
  /** Of earlier attempts: one that was cut off before its write leaves the one before. */
  writtenBefore: z.array(z.string()).default([]),
  previous: z.object({ text: z.string(), mode: z.int() }).nullable(),
});

export type MadeBy = z.infer<typeof FileFacts>["madeBy"];

/** Writes the whole file, noted before; missing directories are made and noted too. Answers its hash. */
export async function writeOwnFile(
  context: StepContext,
  madeBy: MadeBy,
  { path, text, mode }: { readonly path: string; readonly text: string; readonly mode: number },
  /** The hash of what may be replaced, null for nothing; undefined: whatever is there. */
  planned?: string | null,
): Promise<string> {
  const key = ledgerKey.file(path);
  const known = await ownFacts(context, key, FileFacts);
  const found = await context.files.read(path);
  const writtenHash = hashOf(text);
  // Ours already, or the same as it is: then nothing is ours and nothing is taken back.
  if (found?.hash === writtenHash && found.mode === mode) return writtenHash;
  if (planned !== undefined) {
    const ours = known === null ? [] : [known.writtenHash, ...known.writtenBefore];
    refuseOtherFile(path, found, [planned, ...ours], text);
  }
  // Of several writes by one operation the first one's predecessor is what undo brings back.
  const previous =
    known !== null
      ? known.previous
      : found === null
        ? null
        : { text: found.text, mode: found.mode };
  await makeOwnDirectory(context, dirname(path), 0o775);
  const before = known === null ? [] : [...known.writtenBefore, known.writtenHash];
  const writtenBefore = [...new Set(before)].filter((hash) => hash !== writtenHash);
  await noteOwn(context, key, { madeBy, writtenHash, writtenBefore, previous });
  return context.files.replace(path, text, mode, found?.hash);
}

/** Restores what was there, or removes our file; one that was edited since is left, and the line says so. */
export async function undoOwnFile(context: StepContext, path: string): Promise<string> {
  const key = ledgerKey.file(path);
  const facts = await ownFacts(context, key, FileFacts);
  if (facts === null) return `${path}: not of this operation`;
  const found = await context.files.read(path);
  let line = `${path} was gone already`;
  if (found !== null && [facts.writtenHash, ...facts.writtenBefore].includes(found.hash)) {
    if (facts.previous === null) await context.files.remove(path);
    else await context.files.replace(path, facts.previous.text, facts.previous.mode);
    line = facts.previous === null ? `${path} removed` : `${path} as before`;
  } else if (found !== null && found.hash !== (facts.previous && hashOf(facts.previous.text))) {
    line = `${path} is kept: it was changed after we wrote it`;
  }
  await context.ledger.delete(key);
  return line;
}

/** Files that one step of this operation wrote, in the order of their paths. */
export async function ownFiles(context: StepContext, madeBy: MadeBy): Promise<readonly string[]> {
  const entries = await context.ledger.list(ledgerKey.file(""));
  return entries
    .filter(({ entry }) => entry.operationId === context.operationId)
    .filter(({ entry }) => entry.facts["madeBy"] === madeBy)
    .map(({ key }) => key.slice(ledgerKey.file("").length))
    .sort();
}

/** The hash of the bytes that a latin1 text stands for. */
export function hashOf(text: string): string {
  return createHash("sha256").update(text, "latin1").digest("hex");
}
