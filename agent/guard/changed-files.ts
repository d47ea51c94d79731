import type { ChangedFile } from "#shared/domain/changed-file.ts";
import type { Files } from "../ports.ts";

/** Tells of each file that is written through it, and what it was made from. */
export function tellingFiles(files: Files, changed: (file: ChangedFile) => void): Files {
  return {
    ...files,
    replace: async (path, text, mode, editedHash) => {
      const from = editedHash ?? (await files.read(path))?.hash ?? null;
      const hash = await files.replace(path, text, mode, editedHash);
      changed({ path, hash, from });
      return hash;
    },
    edited: (path, hash, from) => {
      files.edited(path, hash, from);
      changed({ path, hash, from });
    },
  };
}
