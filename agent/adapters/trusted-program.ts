import { constants } from "node:fs";
import { access, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Failure } from "#shared/errors.ts";
import { orNull } from "./file-failure.ts";
import { findProgram } from "./programs.ts";

/**
 * A site's own program, by its absolute path, as agent.yaml admits it: in an allowed directory, and to be changed by
 * nobody but root and this user, nor any folder above it. Answers what links lead to.
 * @throws Failure RESOURCE_MISSING, REFUSED
 */
export async function trustedProgram(
  path: string,
  allowedPrograms: readonly string[],
  uid: number,
): Promise<string> {
  const real = await orNull(realpath(path));
  if (real === null) throw new Failure("RESOURCE_MISSING", `there is no ${path}`);
  const isExecutable = await access(real, constants.X_OK).then(
    () => stat(real).then((it) => it.isFile()),
    () => false,
  );
  if (!isExecutable) {
    throw new Failure("REFUSED", `${path} is no program that this user may execute (chmod +x)`);
  }
  await findProgram(path, allowedPrograms);
  for (const at of [...upwards(real), ...upwards(dirname(path))]) {
    const { uid: owner, mode } = await stat(at);
    // In a sticky folder, such as /tmp, nobody replaces what is another's.
    const isOpen = (mode & 0o022) !== 0 && (at === real || (mode & 0o1000) === 0);
    if (isOpen || (owner !== 0 && owner !== uid)) {
      const who = isOpen ? "its group or everyone may write it" : `it belongs to uid ${owner}`;
      throw new Failure("REFUSED", `${path} may be replaced by others: ${at}: ${who}`);
    }
  }
  return real;
}

function upwards(path: string): readonly string[] {
  return path === dirname(path) ? [path] : [path, ...upwards(dirname(path))];
}
