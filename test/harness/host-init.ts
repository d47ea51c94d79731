import { appendFile, chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { HostSpec } from "./host.ts";
import { projectRoot } from "./project-root.ts";

/** Folders of which every host has its own, kept on disk over a power loss. */
export const privateFolders = [
  "etc",
  "home",
  "opt",
  "root",
  "srv",
  "tmp",
  "var/lib",
  "var/log",
  "var/spool",
] as const;

/** Where a host sees the checkout, npm's PostgreSQL servers and a Node binary that lies outside /usr. */
export const inside = {
  project: "/opt/castellan",
  native: (major: 10 | 18) => `/opt/postgres-${major}`,
  node: process.execPath.startsWith("/usr/") ? process.execPath : "/opt/node/node",
};

/**
 * PID 1 of a host, after it has made the private mounts. The order matters: what is bound into /opt
 * is bound before /home or /tmp, where the checkout may lie, are hidden. With SIGCHLD ignored the
 * kernel itself reaps every orphan at once: a slow reaper would make a dead postmaster look alive
 * to kill(pid, 0).
 */
const initScript = `#!/bin/sh
set -e
base=$1 name=$2 project=$3 node=$4
cd "$base"
hostname "$name"
mount --make-rprivate /
bind() { mkdir -p "$base/$2"; mount --bind "$1" "$base/$2"; mount -o remount,bind,ro "$base/$2"; }
bind "$project" opt/castellan
for major in 10 18; do
  if [ -d "$project/node_modules/postgres-$major/native" ]; then
    bind "$project/node_modules/postgres-$major/native" "opt/postgres-$major"
  fi
done
if [ -n "$node" ]; then mkdir -p opt/node; : > opt/node/node; mount --bind "$node" opt/node/node; fi
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/sudo
# What systemd-tmpfiles makes of Debian's postgresql-common.
install -d -m 2775 -o postgres -g postgres /run/postgresql 2>/dev/null || :
chmod 1777 /run/lock
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
for folder in ${privateFolders.filter((folder) => folder !== "tmp").join(" ")} tmp; do
  mount --rbind "./$folder" "/$folder"
done
: > ./ready
cd /
exec env --ignore-signal=CHLD sleep infinity
`;

export function initArguments(base: string, host: string): string[] {
  const node = process.execPath.startsWith("/usr/") ? "" : process.execPath;
  return [join(base, "init.sh"), base, host, projectRoot(), node];
}

/** Makes the disk of a host: its own /etc with the OS user kingbase, the names of all hosts, and empty homes. */
export async function makeDisk(
  base: string,
  host: HostSpec,
  all: readonly HostSpec[],
): Promise<void> {
  await mkdir(base, { recursive: true });
  await Promise.all(
    privateFolders.filter((f) => f !== "etc").map((f) => mkdir(join(base, f), { recursive: true })),
  );
  await Promise.all([
    execa("cp", ["-a", "/etc", base]),
    writeFile(join(base, "init.sh"), initScript, { mode: 0o755 }),
    chmod(join(base, "root"), 0o700),
    chmod(join(base, "tmp"), 0o1777),
    mkdir(join(base, "var/spool/cron/crontabs"), { recursive: true }),
  ]);
  await cleanEtc(join(base, "etc"), host, all);
  const home = await addUser(join(base, "etc"));
  await execa("install", ["-d", "-o", home.uid, "-g", home.gid, join(base, home.path)]);
  await ownedByPostgres(base);
}

async function cleanEtc(etc: string, host: HostSpec, all: readonly HostSpec[]): Promise<void> {
  const names = all.map(({ name, address }) => `${address}\t${name}`);
  await Promise.all([
    writeFile(
      join(etc, "hosts"),
      `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost\n${names.join("\n")}\n`,
    ),
    writeFile(join(etc, "hostname"), `${host.name}\n`),
    ...["cron.d", "sudoers.d", "postgresql", "castellan", "pgpool2"].map(async (folder) => {
      await rm(join(etc, folder), { recursive: true, force: true });
      if (folder !== "castellan") await mkdir(join(etc, folder));
    }),
  ]);
  await chmod(join(etc, "sudoers.d"), 0o750);
}

/** The database's OS user of the KingbaseES lane exists on the hosts only, never on the machine. */
async function addUser(etc: string): Promise<{ uid: string; gid: string; path: string }> {
  const found = /^kingbase:[^:]*:(\d+):(\d+):[^:]*:([^:]*):/m.exec(
    await readFile(join(etc, "passwd"), "utf8"),
  );
  const [, uid, gid, home] = found ?? [];
  if (uid !== undefined && gid !== undefined && home !== undefined) return { uid, gid, path: home };
  await appendFile(join(etc, "passwd"), "kingbase:x:5432:5432::/home/kingbase:/bin/bash\n");
  await appendFile(join(etc, "group"), "kingbase:x:5432:\n");
  await appendFile(join(etc, "shadow"), "kingbase:*:19000:0:99999:7:::\n");
  return { uid: "5432", gid: "5432", path: "/home/kingbase" };
}

async function ownedByPostgres(base: string): Promise<void> {
  const passwd = await readFile(join(base, "etc/passwd"), "utf8");
  const [, uid, gid] = /^postgres:[^:]*:(\d+):(\d+):/m.exec(passwd) ?? [];
  if (uid === undefined || gid === undefined) return;
  for (const folder of ["var/lib/postgresql", "var/log/postgresql", "etc/postgresql"]) {
    await execa("install", ["-d", "-o", uid, "-g", gid, join(base, folder)]);
  }
}
