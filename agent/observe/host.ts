import type { HostFacts } from "#shared/domain/facts.ts";
import {
  fileSignature,
  glibcVersion,
  hostIdentity,
  localAddresses,
  readSmallFile,
  resolvedPath,
} from "../adapters/local-system.ts";
import type { Ports } from "../ports.ts";

type HostPorts = Pick<Ports, "settings" | "product" | "clock" | "files" | "secrets" | "rootHelper">;

export type HostObserver = {
  /** `places`: further directories that matter, e.g. of tablespaces and the archive. */
  observe(places: readonly string[], fresh: boolean): Promise<HostFacts>;
};

export function createHostObserver(ports: HostPorts): HostObserver {
  // The running process's libraries don't change under it.
  const glibc = glibcVersion();

  return {
    observe: async (places, fresh) => {
      const [bootId, limits, helperVerbs, secrets] = await Promise.all([
        readSmallFile("/proc/sys/kernel/random/boot_id"),
        readSmallFile("/proc/self/limits"),
        ports.rootHelper.verbs(fresh).catch(() => []),
        ports.secrets.names().catch(() => []),
      ]);
      const directories = new Set([...(await ownDirectories(ports)), ...places]);
      return {
        ...hostIdentity(),
        bootId: bootId?.trim() ?? "",
        clockMs: ports.clock.now(),
        glibc,
        addresses: localAddresses().map((address) => ({ ...address })),
        limits: parseLimits(limits ?? ""),
        filesystems: await measure(ports, [...directories]),
        rootHelperVerbs: [...helperVerbs],
        secrets: [...secrets],
      };
    },
  };
}

/** Names of the WAL directory: since PostgreSQL 10, before it, and as the vendor calls it. */
const walDirectories = ["pg_wal", "pg_xlog", "sys_xlog"];

/** Where the WAL of a data directory really lies; the data directory itself where there is none yet. */
export async function walDirectory(dataDirectory: string): Promise<string> {
  for (const name of walDirectories) {
    const path = `${dataDirectory}/${name}`;
    const signature = await fileSignature(path);
    if (signature?.kind === "directory") return resolvedPath(path);
  }
  return dataDirectory;
}

async function ownDirectories(ports: HostPorts): Promise<readonly string[]> {
  const { paths, stateDirectory } = ports.settings;
  const vendor = ports.product.vendor?.directories(paths.root ?? "") ?? [];
  const { dataDirectory } = paths;
  const wal = await walDirectory(dataDirectory).catch(() => dataDirectory);
  return [dataDirectory, wal, stateDirectory, ...vendor];
}

async function measure(
  ports: HostPorts,
  directories: readonly string[],
): Promise<HostFacts["filesystems"]> {
  const found: HostFacts["filesystems"] = [];
  for (const directory of directories) {
    try {
      found.push({ directory, ...(await ports.files.filesystem(directory)) });
    } catch {
      // Not to be measured by this user: preflight names what is missing from the list.
    }
  }
  return found;
}

/** The soft limits; `unlimited` is null. Line: `Max open files            1024       1048576    files` */
export function parseLimits(text: string): HostFacts["limits"] {
  const soft = (name: string): number | null => {
    const value = new RegExp(`^${name}\\s+(\\S+)`, "m").exec(text)?.[1];
    return value === undefined || !/^\d+$/.test(value) ? null : Number(value);
  };
  return { openFiles: soft("Max open files"), processes: soft("Max processes") };
}
