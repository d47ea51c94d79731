import { unreadHash } from "#shared/domain/facts.ts";
import { Failure } from "#shared/errors.ts";
import type { FileSnapshot, Files } from "../ports.ts";

/** Password files for a step: of their content nothing is read, kept or written, mode and owner are all of them. */
export function withoutContent(files: Files): Files {
  const read = async (path: string): Promise<FileSnapshot | null> => {
    const found = await files.attributes(path);
    return found === null ? null : { ...found, text: "", hash: unreadHash, modifiedAt: 0 };
  };
  return {
    ...files,
    read,
    restore: (path, to) => {
      if (to !== null) return files.setAttributes(path, to);
      throw new Failure("REFUSED", `${path} is not removed: nothing of it was kept`, {
        hint: "Remove it by hand, or accept it.",
      });
    },
    versions: { ...files.versions, keep: async () => undefined, find: read },
  };
}
