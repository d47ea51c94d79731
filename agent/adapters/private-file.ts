import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/** A file that only this user may read, never seen half-written. Below the agent's own state directory only. */
export async function writePrivateFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const beside = `${path}.new`;
  await writeFile(beside, text, { encoding: "latin1", mode: 0o600 });
  await rename(beside, path);
}

export async function removePrivateFile(path: string): Promise<void> {
  await rm(path, { force: true });
}

/** Private files are written as Latin-1: anything beyond ASCII stands as an escape. */
export function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
