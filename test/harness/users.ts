import { readFileSync } from "node:fs";

export type OsUser = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
};

/** Looks a user up in a passwd file; null when there is none of that name. */
export function findUser(name: string, passwdFile = "/etc/passwd"): OsUser | null {
  for (const line of readFileSync(passwdFile, "utf8").split("\n")) {
    const [user, , uid, gid, , home] = line.split(":");
    if (user === name && uid !== undefined && gid !== undefined && home !== undefined) {
      return { name, uid: Number(uid), gid: Number(gid), home };
    }
  }
  return null;
}

/** The small environment that every command on a host starts from. */
export function cleanEnvironment(user: OsUser): Record<string, string> {
  return {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: user.home,
    USER: user.name,
    LOGNAME: user.name,
    SHELL: "/bin/sh",
    LANG: "C.UTF-8",
  };
}
