import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The checkout, found by walking up to castellan's package.json: works from a bundle in dist/ and from the sources. */
export function projectRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!isCastellan(join(folder, "package.json"))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error("no package.json named castellan above this program");
    folder = parent;
  }
  return folder;
}

function isCastellan(file: string): boolean {
  return existsSync(file) && /"name":\s*"castellan"/.test(readFileSync(file, "utf8"));
}
