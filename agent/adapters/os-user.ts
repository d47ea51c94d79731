import { readFileSync } from "node:fs";
import { execa } from "execa";
import { Failure } from "#shared/errors.ts";

export type OsUser = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
};

/** By `getent`, which asks directories (LDAP) too. @throws Failure NOT_FOUND */
export async function findOsUser(name: string): Promise<OsUser> {
  const { stdout } = await execa("getent", ["passwd", "--", name], {
    reject: false,
    timeout: 10_000,
  });
  const [found, , uid, gid, , home] = (stdout ?? "").split(":");
  if (found === name && uid !== undefined && gid !== undefined && home !== undefined) {
    return { name, uid: Number(uid), gid: Number(gid), home };
  }
  throw new Failure("NOT_FOUND", `this host has no OS user ${name}`, {
    hint: "Name the database's own OS user: --user NAME",
  });
}

/** Text of a configuration file for defaults; null where it can't be read. */
export function readForDefaults(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return null;
  }
}
