import { open } from "node:fs/promises";
import { writeAtomically } from "./atomic-write.ts";
import { readSmallFile } from "./local-system.ts";

/** A file of lines below our state directory that keeps the last `most` of them, or somewhat more. */
export type LineFile = {
  /** As they were when it was opened. */
  readonly lines: readonly string[];
  /** On disk when it answers. One at a time. */
  append(line: string): Promise<void>;
};

export async function openLineFile(path: string, most: number): Promise<LineFile> {
  const text = (await readSmallFile(path, "utf8")) ?? "";
  const lines = text.split("\n");
  // Cut off in the middle of a line: what is appended must not become its end.
  let isTorn = lines.pop() !== "";
  const kept = lines.slice(-most);
  let count = lines.length;
  return {
    lines: [...kept],
    append: async (line) => {
      kept.push(line);
      if (kept.length > most) kept.shift();
      if (isTorn || count >= 2 * most) {
        await writeAtomically(path, Buffer.from(`${kept.join("\n")}\n`), { mode: 0o600 });
        isTorn = false;
        count = kept.length;
        return;
      }
      const file = await open(path, "a", 0o600);
      try {
        await file.appendFile(`${line}\n`);
        await file.datasync();
        count += 1;
      } catch (error) {
        isTorn = true;
        throw error;
      } finally {
        await file.close();
      }
    },
  };
}
