import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { hostFiles } from "./host-files.ts";
import { initArguments, inside, privateFolders } from "./host-init.ts";
import type { ExecOptions, Host, HostProcess, HostSpec, SpawnOptions } from "./host.ts";
import { removeControlGroups } from "./cgroups.ts";
import type { Network } from "./network.ts";
import { childrenOf, isAlive, killHard } from "./processes.ts";
import { run } from "./run.ts";
import { spawnHost, spawnProcess } from "./spawned.ts";
import { startSystemd } from "./systemd-init.ts";
import { cleanEnvironment, findUser, type OsUser } from "./users.ts";
import { waitFor } from "./wait-for.ts";

export type NamespaceHost = Host & {
  /** Pid of the host's init as the machine sees it; null while the host is off. */
  initPid(): number | null;
  /** For process exit: nothing asynchronous runs any more. */
  killSync(): void;
};

/** A host made of network, mount, uts, ipc and pid namespaces. It is off until `boot()`. */
export function createNamespaceHost(
  spec: HostSpec,
  base: string,
  network: Network,
  { outlives }: { readonly outlives: boolean },
): NamespaceHost {
  let init: number | null = null;
  const spawned = new Set<HostProcess>();
  const up = (): number => {
    if (init === null || !isAlive(init)) throw new Error(`${spec.name} is powered off`);
    return init;
  };
  const user = (name: string): OsUser | null => findUser(name, join(base, "etc/passwd"));
  const mustUser = (name: string): OsUser => {
    const found = user(name);
    if (found === null) throw new Error(`no OS user ${name} on ${spec.name}`);
    return found;
  };
  const path = (file: string): string => mapPath(file, base, init);
  const enter = (argv: readonly string[], options: ExecOptions & SpawnOptions): string[] => [
    "nsenter",
    "--target",
    String(up()),
    "--all",
    `--wdns=${options.cwd ?? "/"}`,
    "--",
    ...becomeUser(options.user, options.capabilities),
    ...preloading(options.env?.["LD_PRELOAD"]),
    ...argv,
  ];
  const environment = (options: ExecOptions): Record<string, string> => {
    const { LD_PRELOAD: _, ...rest } = options.env ?? {};
    return { ...cleanEnvironment(mustUser(options.user ?? "root")), ...rest };
  };
  const boot = async (kind: "plain" | "systemd" = "plain"): Promise<void> => {
    if (init !== null && isAlive(init)) throw new Error(`${spec.name} is powered on already`);
    const start = kind === "systemd" ? startSystemd : startInit;
    init = await start(spec.name, base, network.namespaceOf(spec.name), outlives);
    await network.setLink(spec.name, "up");
  };
  return {
    ...spec,
    root: "",
    nodePath: inside.node,
    projectPath: inside.project,
    nativePostgres: inside.native,
    ...hostFiles(path, user),
    path,
    isUp: () => init !== null && isAlive(init),
    initPid: () => init,
    exec: async (argv, options = {}) =>
      run(enter(argv, options), {
        env: environment(options),
        input: options.input,
        reject: options.reject,
        timeoutMs: options.timeoutMs,
      }),
    spawn: async (argv, options = {}) => {
      const process = await spawnProcess(enter(argv, options), {
        env: environment(options),
        logFile: options.logFile,
        behind: true,
      });
      const forget = (): void => void spawned.delete(process);
      spawned.add(process);
      process.exited.then(forget, forget);
      return process;
    },
    boot,
    powerOff: async () => {
      const pid = up();
      await network.setLink(spec.name, "down");
      killHard(pid);
      // What was stopped has died too, but whoever waits for it was stopped with it.
      for (const process of spawned) process.kill("SIGCONT");
      await waitFor(() => !existsSync(`/proc/${pid}`), { what: `${spec.name} to be off` });
      const group = network.namespaceOf(spec.name);
      await waitFor(() => removeControlGroups(group), { what: `${spec.name}'s processes to end` });
      await network.forgetAdded(spec.name);
      init = null;
    },
    cutLink: () => network.setLink(spec.name, "down"),
    healLink: () => network.setLink(spec.name, "up"),
    setLinkRate: (kilobits) => network.setRate(spec.name, kilobits),
    nft: async (ruleset) => {
      const argv = ["nft", "-f", "-"];
      await run(enter(argv, {}), { env: environment({}), input: ruleset });
    },
    killSync: () => {
      if (init !== null && isAlive(init)) killHard(init);
      init = null;
    },
  };
}

/** A library is for the program alone, not for root's way to it. */
function preloading(library: string | undefined): readonly string[] {
  return library === undefined ? [] : ["env", `LD_PRELOAD=${library}`];
}

function becomeUser(user: string | undefined, capabilities: readonly string[] = []): string[] {
  if (user === undefined || user === "root") return [];
  const added = capabilities.map((name) => `+${name}`).join(",");
  return [
    "setpriv",
    `--reuid=${user}`,
    `--regid=${user}`,
    "--init-groups",
    ...(added === "" ? [] : [`--inh-caps=${added}`, `--ambient-caps=${added}`]),
    "--",
  ];
}

function mapPath(file: string, base: string, init: number | null): string {
  const real = file.replace(/^\/var\/run(?=\/|$)/, "/run");
  if (privateFolders.some((folder) => real === `/${folder}` || real.startsWith(`/${folder}/`))) {
    return init !== null && isMountedOver(real, init)
      ? `/proc/${init}/root${real}`
      : join(base, real);
  }
  const onlyWhileUp = /^\/(?:run|dev\/shm|proc)(?=\/|$)/.test(real);
  if (!onlyWhileUp) return real;
  if (init === null) throw new Error(`${file} exists only while the host is powered on`);
  return `/proc/${init}/root${real}`;
}

/** Does it lie on a filesystem that was mounted on the running host, where its disk's own folder does not show it? */
function isMountedOver(file: string, init: number): boolean {
  const points = readMounts(init).filter((point) => file === point || file.startsWith(`${point}/`));
  return points.some((point) => !privateFolders.some((folder) => point === `/${folder}`));
}

/** Mount points other than the root, as the process sees them (proc(5), mountinfo). */
function readMounts(pid: number): readonly string[] {
  try {
    const lines = readFileSync(`/proc/${pid}/mountinfo`, "utf8").split("\n");
    return lines.map((line) => line.split(" ")[4] ?? "").filter((point) => point.length > 1);
  } catch {
    return [];
  }
}

async function startInit(
  name: string,
  base: string,
  namespace: string,
  outlives: boolean,
): Promise<number> {
  rmSync(join(base, "ready"), { force: true });
  const unshare = "unshare --mount --uts --ipc --pid --fork --kill-child --mount-proc".split(" ");
  return spawnHost(
    base,
    ["ip", "netns", "exec", namespace, ...unshare, "sh", ...initArguments(base, name)],
    outlives,
    (outer) => (existsSync(join(base, "ready")) ? childrenOf(outer)[0] : undefined),
    { timeoutMs: 10_000, intervalMs: 5, what: `${name} to boot` },
  );
}
