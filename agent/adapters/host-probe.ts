import { access, constants, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { orNull } from "./file-failure.ts";
import { readSmallFile } from "./local-system.ts";

/** Questions about this host that preflight asks. Nothing here changes anything. */

/** May this user make or change entries there? Of what does not exist yet its nearest existing parent is asked. */
export async function isWritable(path: string): Promise<boolean> {
  let at = path;
  while ((await orNull(stat(at).catch(ignoreDenied))) === null && at !== "/") at = dirname(at);
  return canAccess(at, constants.W_OK);
}

export function isRunnable(path: string): Promise<boolean> {
  return canAccess(path, constants.X_OK);
}

async function canAccess(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

/** A parent that we may not enter is as good as missing: its own parent can't help either. */
function ignoreDenied(): null {
  return null;
}

/** The name of a user by number; the number itself where /etc/passwd has none (a directory service's user). */
export async function userName(uid: number): Promise<string> {
  const passwd = (await readSmallFile("/etc/passwd")) ?? "";
  const line = passwd.split("\n").find((candidate) => candidate.split(":")[2] === String(uid));
  return line?.split(":")[0] ?? String(uid);
}

/** Bind mounts included, which a comparison of device numbers would miss (proc(5), mountinfo). */
export async function isMountPoint(path: string): Promise<boolean> {
  const mounts = (await readSmallFile("/proc/self/mountinfo")) ?? "";
  return mounts.split("\n").some((line) => {
    const point = line.split(" ")[4] ?? "";
    return point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => fromOctal(octal)) === path;
  });
}

function fromOctal(digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 8));
}

/** Does anyone in this network namespace listen on the port, whatever the address? */
export async function isListening(port: number): Promise<boolean> {
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    const text = (await readSmallFile(table)) ?? "";
    for (const line of text.split("\n").slice(1)) {
      // proc(5): sl local_address:PORT(hex) rem_address st …; 0A is LISTEN.
      const [, local = "", , state] = line.trim().split(/\s+/);
      if (state === "0A" && Number.parseInt(local.split(":").at(-1) ?? "", 16) === port)
        return true;
    }
  }
  return false;
}
