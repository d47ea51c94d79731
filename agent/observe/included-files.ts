import {
  type ConfContent,
  type ConfSource,
  type IncludedFile,
  readServerConfFiles,
  type ServerConfFiles,
} from "#shared/config-files/server-conf-files.ts";
import { parseServerConf } from "#shared/config-files/server-conf.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { namesIn } from "../adapters/local-system.ts";

const mostNames = 1_000;

/** The configuration file itself, or one with how it is drawn in. */
type Source = Pick<IncludedFile, "path"> & Partial<IncludedFile>;

const includesOf = new WeakMap<FileFacts, ConfContent>();

/** What the server's configuration file draws in, each read with `look`; files that are missing too. */
export async function includedFiles(
  configFile: string,
  most: number,
  look: (file: Source) => Promise<FileFacts>,
): Promise<Pick<ServerConfFiles, "included" | "folders" | "isCut">> {
  const files = new Map<string, ConfContent>();
  const folders = new Map<string, readonly string[]>();
  // Each round looks at what the one before could only name; the levels of includes are limited.
  for (;;) {
    const source: ConfSource = {
      file: (path) => files.get(path) ?? "unknown",
      folder: (path) => folders.get(path) ?? "unknown",
    };
    const found = readServerConfFiles(configFile, source, most);
    const all: readonly Source[] = [{ path: configFile }, ...found.included];
    const newFiles = all.filter(({ path }) => !files.has(path));
    const newFolders = found.folders.filter((path) => !folders.has(path));
    if (newFiles.length === 0 && newFolders.length === 0) return found;
    for (const file of newFiles) files.set(file.path, includes(await look(file)));
    for (const path of newFolders) {
      folders.set(path, (await namesIn(path, mostNames).catch(() => null)) ?? []);
    }
  }
}

/** Without its settings: this is asked at every look, and they may be many. */
function includes(facts: FileFacts): ConfContent {
  const known = includesOf.get(facts);
  if (known !== undefined) return known;
  const conf = facts.maskedText === null ? null : parseServerConf(facts.maskedText);
  const found = { entries: [], complaints: [], includes: conf?.includes ?? [] };
  includesOf.set(facts, found);
  return found;
}
