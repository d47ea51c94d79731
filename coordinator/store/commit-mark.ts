import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { replaceFile } from "./replace-file.ts";

/** How many commits were acknowledged, in a file beside the journal: a log that was lost or cut shows by it. */
export const markOf = (journal: string): string => `${journal}-mark`;

/** null where there is none. @throws Error for one that is damaged. */
export function readCommitMark(file: string): number | null {
  const text = readIfThere(file);
  if (text === null) return null;
  const commits = Number(/^commits (\d{15}) /.exec(text)?.[1]);
  if (text !== markText(commits)) throw new Error(`${file} is damaged`);
  return commits;
}

/** On disk when it returns. */
export function writeCommitMark(file: string, commits: number): void {
  replaceFile(file, Buffer.from(markText(commits)));
}

export type CommitMark = Disposable & { acknowledge(commits: number): void };

/**
 * Overwrites the mark in place, after each commit and not synced: after a power cut it may be behind, never ahead, and a
 * text this short is the old one or the new one.
 */
export function openCommitMark(file: string): CommitMark {
  const handle = openSync(file, "r+");
  return {
    acknowledge: (commits) => {
      writeSync(handle, markText(commits), 0);
    },
    [Symbol.dispose]: () => closeSync(handle),
  };
}

function markText(commits: number): string {
  const text = `commits ${String(commits).padStart(15, "0")}`;
  return `${text} ${crc32(text).toString(16).padStart(8, "0")}\n`;
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, "latin1");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
