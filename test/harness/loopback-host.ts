import { userInfo } from "node:os";
import { join } from "node:path";
import { hostFiles } from "./host-files.ts";
import type { ExecOptions, Host, HostSpec } from "./host.ts";
import { descendants, isAlive, killHard, processesWithEnv } from "./processes.ts";
import { projectRoot } from "./project-root.ts";
import { run } from "./run.ts";
import { spawnProcess } from "./spawned.ts";
import { cleanEnvironment, findUser, type OsUser } from "./users.ts";
import { waitFor } from "./wait-for.ts";

/** Every process of a loopback host carries this variable: that is how they are found again. */
const hostVariable = "CASTELLAN_LAB_HOST";

export type LoopbackHost = Host & { killSync(): void };

/** A host that is only an address of 127.0.0.0/8 and a folder: what can be had without root. */
export function createLoopbackHost(spec: HostSpec, base: string, labId: string): LoopbackHost {
  const mark = `${labId}/${spec.name}`;
  let on = true;
  const path = (file: string): string => file;
  const isRoot = process.getuid?.() === 0;
  const become = (user: string | undefined): OsUser => {
    const self = { name: userInfo().username, ...selfIds(), home: userInfo().homedir };
    if (!isRoot || user === undefined || user === "root") return self;
    const found = findUser(user);
    if (found === null) throw new Error(`no OS user ${user} on this machine`);
    return found;
  };
  const prepare = (argv: readonly string[], options: ExecOptions) => {
    if (!on) throw new Error(`${spec.name} is powered off`);
    const user = become(options.user);
    const setpriv = [
      "setpriv",
      `--reuid=${user.name}`,
      `--regid=${user.gid}`,
      "--init-groups",
      "--",
    ];
    const switched = isRoot && user.uid !== 0;
    return {
      argv: switched ? [...setpriv, ...argv] : argv,
      env: {
        ...cleanEnvironment({ ...user, home: join(base, "home") }),
        ...options.env,
        [hostVariable]: mark,
      },
      cwd: options.cwd ?? base,
    };
  };
  const processes = (): number[] => processesOf(mark);
  const notThere = (): Promise<never> =>
    Promise.reject(
      new Error("hosts on loopback addresses have no cable, no packet filter and no systemd"),
    );
  return {
    ...spec,
    root: base,
    nodePath: process.execPath,
    projectPath: projectRoot(),
    nativePostgres: (major) => join(projectRoot(), `node_modules/postgres-${major}/native`),
    ...hostFiles(path, findUser),
    path,
    isUp: () => on,
    exec: async (argv, options = {}) => {
      const { argv: command, env, cwd } = prepare(argv, options);
      const { input, reject, timeoutMs } = options;
      return run(command, { env, cwd, input, reject, timeoutMs });
    },
    spawn: async (argv, options = {}) => {
      const { argv: command, env, cwd } = prepare(argv, options);
      return spawnProcess(command, { env, cwd, logFile: options.logFile, behind: false });
    },
    boot: (kind) => {
      if (kind === "systemd") return notThere();
      on = true;
      return Promise.resolve();
    },
    powerOff: async () => {
      on = false;
      await waitFor(
        () => {
          for (const pid of processes()) killHard(pid);
          return processes().length === 0;
        },
        { what: `the processes of ${spec.name} to end` },
      );
    },
    cutLink: notThere,
    healLink: notThere,
    setLinkRate: notThere,
    nft: notThere,
    killSync: () => {
      on = false;
      for (const pid of processes()) killHard(pid);
    },
  };
}

function selfIds(): { uid: number; gid: number } {
  return { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
}

/**
 * Processes that carry the mark, and all they started: PostgreSQL overwrites the environment of
 * its children with their titles, but the postmaster keeps its own.
 */
export function processesOf(mark: string): number[] {
  const marked = processesWithEnv(`${hostVariable}=${mark}`);
  const all = new Set(marked.flatMap((pid) => [...descendants(pid), pid]));
  return [...all].filter((pid) => pid !== process.pid && isAlive(pid));
}
