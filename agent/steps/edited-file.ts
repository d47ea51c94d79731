import type { Evidence } from "#shared/domain/commands.ts";

/** Of a shared file, from the ledger: before and after our own edit alone; without `hashAfter` we wrote nothing. */
type Edit = { readonly hashBefore: string; readonly hashAfter?: string | undefined };

/** Evidence of an edit in a file that people edit too: what our edit alone made of it. */
export function editedFile(path: string, edit: Edit | null): Evidence["files"] {
  return edit?.hashAfter === undefined
    ? []
    : [{ path, hash: edit.hashAfter, from: edit.hashBefore }];
}

/** Evidence of its undo: without anybody's edits it would be as before. */
export function restoredFile(path: string, { hashBefore, hashAfter }: Edit): Evidence["files"] {
  return hashAfter === undefined ? [] : [{ path, hash: hashBefore, from: hashAfter }];
}
