import { randomBytes } from "node:crypto";
import { chown, mkdir, open, readdir, stat, unlink } from "node:fs/promises";
import { join } from "node:path";
import { SecretName } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import { Secret } from "#shared/secret.ts";
import type { Secrets } from "../ports.ts";
import { writeAtomically } from "./atomic-write.ts";
import { fileFailure, orNull } from "./file-failure.ts";
import { makeFolder } from "./make-folder.ts";
import { passwordLine } from "./password-line.ts";

export type SecretStore = Secrets & {
  set(name: SecretName, value: string): Promise<void>;
  /** Removes password files that a crash left, but for those that detached jobs still have. */
  sweepPasswordFiles(ofJobs: ReadonlySet<string>): Promise<void>;
};

/** Passwords of this host: `<stateDirectory>/secrets/NAME`, mode 0600, never sent anywhere. */
export async function createSecrets(stateDirectory: string): Promise<SecretStore> {
  const folder = join(stateDirectory, "secrets");
  const handedOut = join(stateDirectory, "password-files");
  const owner = await stat(stateDirectory);
  const get = (name: SecretName): Promise<Secret | null> =>
    readSecret(join(folder, name), `secret ${name}`);
  return {
    get,
    names: async () => {
      const files = new Set((await orNull(readdir(folder))) ?? []);
      return SecretName.options.filter((name) => files.has(name));
    },
    passwordFile: async (logins) => {
      const lines: string[] = [];
      for (const login of logins) lines.push(passwordLine(login, await demand(get, login.secret)));
      const path = join(handedOut, `pass-${randomBytes(8).toString("hex")}`);
      try {
        await makeFolder(handedOut);
        await writeAtomically(path, Buffer.from(lines.join("")), { mode: 0o600 });
      } catch (error) {
        throw fileFailure("written", path, error);
      }
      return {
        path,
        [Symbol.asyncDispose]: async () => {
          await orNull(unlink(path));
        },
      };
    },
    set: async (name, value) => {
      if (value === "" || /[\0\r\n]/.test(value)) {
        throw new Failure(
          "USAGE",
          `the value of secret ${name} is empty or has a line break in it`,
          {
            hint: `Type: castellan-agent secret set ${name} < FILE (one line)`,
          },
        );
      }
      await mkdir(folder, { recursive: true, mode: 0o700 });
      // Root may set it for the agent, whose state directory it is.
      if ((await stat(folder)).uid !== owner.uid) await chown(folder, owner.uid, owner.gid);
      await writeAtomically(join(folder, name), Buffer.from(value), { mode: 0o600, owner });
    },
    sweepPasswordFiles: async (ofJobs) => {
      for (const name of (await orNull(readdir(handedOut))) ?? []) {
        const path = join(handedOut, name);
        if (!ofJobs.has(path)) await orNull(unlink(path));
      }
    },
  };
}

async function demand(
  get: (name: SecretName) => Promise<Secret | null>,
  name: SecretName,
): Promise<Secret> {
  const secret = await get(name);
  if (secret !== null) return secret;
  throw new Failure("RESOURCE_MISSING", `this host has no secret ${name}`, {
    hint: `On this host, as the agent's user: castellan-agent secret set ${name}`,
  });
}

/** One line of a file that only its owner may read. @throws Failure REFUSED for a laxer mode */
export async function readSecret(path: string, name: string): Promise<Secret | null> {
  const file = await orNull(open(path, "r"));
  if (file === null) return null;
  try {
    const found = await file.stat();
    if ((found.mode & 0o077) !== 0) {
      const mode = (found.mode & 0o777).toString(8).padStart(4, "0");
      throw new Failure("REFUSED", `${path} has mode ${mode}: others can read ${name}`, {
        hint: `chmod 600 ${path} (and change it if somebody may have read it)`,
      });
    }
    return new Secret((await file.readFile("utf8")).replace(/\r?\n$/, ""));
  } finally {
    await file.close();
  }
}
