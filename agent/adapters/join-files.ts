import { access, chmod, chown, constants, mkdir, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { writeAtomically } from "./atomic-write.ts";
import { fileFailure, orNull } from "./file-failure.ts";

export type JoinFiles = {
  readText(path: string): Promise<string | null>;
  /** Makes the folders, and sees that they can be written. */
  prepare(stateDirectory: string, configFile: string): Promise<void>;
  /** 0600, the agent's. */
  writeSecret(path: string, text: string): Promise<void>;
  /** 0644; written by root it stays root's, so that the agent can't widen its own allow-list. */
  writePublic(path: string, text: string): Promise<void>;
};

/** `owner`: the agent's user where another one (root) runs join; null where it is the agent's user. */
export function createJoinFiles(
  owner: { readonly uid: number; readonly gid: number } | null,
): JoinFiles {
  return {
    readText: async (path) => {
      try {
        return await orNull(readFile(path, "utf8"));
      } catch (error) {
        throw fileFailure("read", path, error);
      }
    },
    prepare: async (stateDirectory, configFile) => {
      try {
        await mkdir(dirname(configFile), { recursive: true, mode: 0o755 });
        await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
        await mkdir(join(stateDirectory, "secrets"), { recursive: true, mode: 0o700 });
        for (const folder of [stateDirectory, join(stateDirectory, "secrets")]) {
          if (owner !== null) await chown(folder, owner.uid, owner.gid);
          await chmod(folder, 0o700); // it may have been there with a laxer mode
          await access(folder, constants.W_OK | constants.X_OK);
        }
        await access(dirname(configFile), constants.W_OK | constants.X_OK);
      } catch (error) {
        throw fileFailure("prepared", `${stateDirectory} or ${dirname(configFile)}`, error);
      }
    },
    writeSecret: (path, text) => write(path, text, 0o600, owner),
    writePublic: (path, text) => write(path, text, 0o644, null),
  };
}

async function write(
  path: string,
  text: string,
  mode: number,
  owner: { readonly uid: number; readonly gid: number } | null,
): Promise<void> {
  try {
    const bytes = Buffer.from(text, "utf8");
    await writeAtomically(path, bytes, { mode, ...(owner === null ? {} : { owner }) });
  } catch (error) {
    throw fileFailure("written", path, error);
  }
}
