import * as z from "zod";
import type { Evidence } from "#shared/domain/commands.ts";
import type { Files, StepContext } from "../ports.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { hashOf } from "./own-file.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";

const EditFacts = z.object({ from: z.string().nullable(), hash: z.string().nullable() });

/** What stood there before this step's first edit, and what stands there by its last one. */
export async function noteEdit(
  path: string,
  { from, hash }: z.infer<typeof EditFacts>,
  context: StepContext,
): Promise<void> {
  const known = await ownFacts(context, ledgerKey.edited(context.stepId, path), EditFacts);
  await noteOwn(context, ledgerKey.edited(context.stepId, path), {
    from: known === null ? from : known.from,
    hash,
  });
}

/** The same files; what is written or removed through them is noted as this step's, before it is. */
export function notingFiles(context: StepContext): Files {
  const { files } = context;
  return {
    ...files,
    replace: async (path, text, mode, editedHash) => {
      const before = await files.read(path);
      await noteEdit(path, { from: before?.hash ?? null, hash: hashOf(text) }, context);
      return files.replace(path, text, mode, editedHash);
    },
    remove: async (path) => {
      const before = await files.read(path);
      if (before !== null) await noteEdit(path, { from: before.hash, hash: null }, context);
      await files.remove(path);
    },
  };
}

/** All of them, for the baselines. */
export async function notedEdits(context: StepContext): Promise<Evidence["files"]> {
  const prefix = ledgerKey.edited(context.stepId, "");
  const entries = await context.ledger.list(prefix);
  return entries.flatMap(({ key, entry }) => {
    if (entry.operationId !== context.operationId) return [];
    const facts = EditFacts.safeParse(entry.facts);
    return facts.success ? [{ path: key.slice(prefix.length), ...facts.data }] : [];
  });
}

/** This step's, once they are taken back. */
export async function forgetEdits(context: StepContext): Promise<void> {
  for (const { key, entry } of await context.ledger.list(ledgerKey.edited(context.stepId, ""))) {
    if (entry.operationId === context.operationId) await context.ledger.delete(key);
  }
}
