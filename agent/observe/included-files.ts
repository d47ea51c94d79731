import { dirname, isAbsolute, join } from "node:path";
import { parseServerConf } from "#shared/config-files/server-conf.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { namesIn } from "../adapters/local-system.ts";

export type IncludedFile = { readonly path: string; readonly origin: "include" | "include-dir" };

export type IncludedFiles = {
  readonly files: readonly IncludedFile[];
  /** A file that appears in one of these belongs to the configuration from then on. */
  readonly directories: readonly string[];
  /** More than `mostIncluded`: the rest is not watched. */
  readonly isCut: boolean;
};

export const mostIncluded = 50;
const mostNames = 1_000;
/** PostgreSQL's own limit for files that include each other. */
const maxDepth = 10;

type Include = { readonly kind: string; readonly path: string };
const includesOf = new WeakMap<FileFacts, readonly Include[]>();

/** What the server's configuration file draws in, each read with `look`; files that are missing too. */
export async function includedFiles(
  configFile: string,
  look: (path: string) => Promise<FileFacts | null>,
): Promise<IncludedFiles> {
  const files = new Map<string, IncludedFile>();
  const directories = new Set<string>();
  let isCut = false;

  async function follow(path: string, depth: number): Promise<void> {
    const facts = await look(path);
    if (facts === null || depth >= maxDepth) return;
    for (const include of includes(facts)) {
      const place = isAbsolute(include.path) ? include.path : join(dirname(path), include.path);
      const isDirectory = include.kind === "include_dir";
      if (isDirectory) directories.add(place);
      for (const file of isDirectory ? await confFilesIn(place) : [place]) {
        if (file === configFile || files.has(file)) continue;
        if (files.size >= mostIncluded) {
          isCut = true;
          return;
        }
        files.set(file, { path: file, origin: isDirectory ? "include-dir" : "include" });
        await follow(file, depth + 1);
      }
    }
  }

  await follow(configFile, 0);
  return { files: [...files.values()], directories: [...directories], isCut };
}

function includes(facts: FileFacts): readonly Include[] {
  const known = includesOf.get(facts);
  if (known !== undefined) return known;
  const found = facts.maskedText === null ? [] : parseServerConf(facts.maskedText).includes;
  includesOf.set(facts, found);
  return found;
}

/** PostgreSQL docs, "File Inclusion": names that end in .conf and don't begin with a dot. */
async function confFilesIn(directory: string): Promise<readonly string[]> {
  const names = (await namesIn(directory, mostNames)) ?? [];
  return names
    .filter((name) => name.endsWith(".conf") && !name.startsWith("."))
    .toSorted()
    .map((name) => join(directory, name));
}
