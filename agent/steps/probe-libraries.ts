import { dirname } from "node:path";
import { resolvedPath } from "../adapters/local-system.ts";
import type { StepContext } from "../ports.ts";
import { Failure } from "#shared/errors.ts";

/** Libraries of shared_preload_libraries that this host's installation does not have: the server would not start. */
export async function missingLibraries(
  names: readonly string[],
  context: StepContext,
): Promise<string[]> {
  const { bin, library } = await installation(context);
  const missing: string[] = [];
  for (const name of names) {
    const file = name.replace(/^\$libdir\//, "");
    const bare = file.endsWith(".so") ? file : `${file}.so`;
    const places = file.startsWith("/")
      ? [bare]
      : [
          ...(library === null ? [] : [`${library}/${bare}`, `${library}/plugins/${bare}`]),
          // Where the server finds them relative to its own program (PostgreSQL docs, relocatable installs).
          `${bin}/../lib/${bare}`,
          `${bin}/../lib/postgresql/${bare}`,
        ];
    if (!(await anyExists(places, context))) missing.push(name);
  }
  return missing;
}

/** Extensions whose control file this host does not have: their functions could not be called here. */
export async function missingExtensions(
  names: readonly string[],
  context: StepContext,
): Promise<string[]> {
  const { bin, share } = await installation(context);
  const debianMajor = /^\/usr\/lib\/postgresql\/(\d+)\/bin$/.exec(bin)?.[1];
  const folders = [
    ...(share === null ? [] : [share]),
    `${bin}/../share`,
    `${bin}/../share/postgresql`,
    ...(debianMajor === undefined ? [] : [`/usr/share/postgresql/${debianMajor}`]),
  ];
  const missing: string[] = [];
  for (const name of names) {
    const places = folders.map((folder) => `${folder}/extension/${name}.control`);
    if (!(await anyExists(places, context))) missing.push(name);
  }
  return missing;
}

type Installation = {
  /** Where the server's program really lies: directories of links are common. */
  readonly bin: string;
  readonly library: string | null;
  readonly share: string | null;
};

/** What pg_config says of the directory where it lies; many installations do not bring it. */
async function installation(context: StepContext): Promise<Installation> {
  const bin = context.settings.paths.binDirectory;
  const ask = async (option: string): Promise<string | null> => {
    try {
      const result = await context.programs.run(`${bin}/pg_config`, [option], {
        timeoutMs: 10_000,
      });
      return result.exitCode === 0 ? result.stdout.trim() : null;
    } catch (error) {
      if (error instanceof Failure) return null;
      throw error;
    }
  };
  const [found, library, share] = await Promise.all([
    ask("--bindir"),
    ask("--pkglibdir"),
    ask("--sharedir"),
  ]);
  // A pg_config of another installation (Debian links the newest one) would answer for the wrong places.
  if (found === bin) return { bin, library, share };
  const server = await resolvedPath(`${bin}/${context.product.programs.server}`);
  return { bin: dirname(server), library: null, share: null };
}

async function anyExists(paths: readonly string[], context: StepContext): Promise<boolean> {
  for (const path of paths) if ((await context.files.stat(path)) !== null) return true;
  return false;
}
