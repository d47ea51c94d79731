import { existsSync } from "node:fs";
import { chmod, chown, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Host, WriteFileOptions } from "./host.ts";
import type { OsUser } from "./users.ts";

type FileFunctions = Pick<Host, "exists" | "readFile" | "writeFile" | "makeDirectory">;

/** The file functions of a host, once it is known where its paths lie and who its users are. */
export function hostFiles(
  path: (inside: string) => string,
  user: (name: string) => OsUser | null,
): FileFunctions {
  const own = async (file: string, { mode, owner }: WriteFileOptions): Promise<void> => {
    if (mode !== undefined) await chmod(file, mode);
    const found = owner === undefined ? null : user(owner);
    if (found !== null) await chown(file, found.uid, found.gid);
  };
  const makeDirectory = async (inside: string, options: WriteFileOptions = {}): Promise<void> => {
    const folder = path(inside);
    if (!existsSync(folder)) {
      if (!existsSync(path(dirname(inside)))) {
        await makeDirectory(
          dirname(inside),
          options.owner === undefined ? {} : { owner: options.owner },
        );
      }
      await mkdir(folder);
    }
    await own(folder, options);
  };
  return {
    exists: (inside) => existsSync(path(inside)),
    readFile: (inside) => readFile(path(inside), "utf8"),
    writeFile: async (inside, content, options = {}) => {
      const file = path(inside);
      await writeFile(file, content, options.mode === undefined ? {} : { mode: options.mode });
      await own(file, options);
    },
    makeDirectory,
  };
}
