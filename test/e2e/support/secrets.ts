import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Castellan } from "#test/harness/castellan.ts";
import type { TestCluster } from "#test/harness/cluster.ts";

/** Every password of the cluster as itself and as the product's files write it. */
function spellings({ passwords }: TestCluster): readonly { name: string; text: string }[] {
  return Object.entries(passwords).flatMap(([name, value]) => [
    { name, text: value },
    { name: `${name} in base64`, text: Buffer.from(value).toString("base64").replace(/=+$/, "") },
  ]);
}

/** Names of the passwords that stand in a text. */
export function secretsIn(cluster: TestCluster, text: string): readonly string[] {
  return spellings(cluster).flatMap(({ name, text: secret }) =>
    text.includes(secret) ? [name] : [],
  );
}

/**
 * Files of Castellan's own that hold a password: logs, journal, state, settings. Left out are the store that
 * is there to hold them, and the kept earlier versions of the product's files.
 */
export function filesWithSecrets(cluster: TestCluster, castellan: Castellan): readonly string[] {
  const { coordinatorHost, stateDirectory } = castellan;
  const nodes = [...cluster.nodes, ...(cluster.newNode === null ? [] : [cluster.newNode])];
  const places = [
    { host: coordinatorHost, folders: [stateDirectory, "/var/log"] },
    ...nodes.map(({ host }) => ({
      host,
      folders: [
        "/var/lib/castellan-agent",
        "/var/lib/castellan-root",
        "/etc/castellan",
        "/etc/sudoers.d",
        "/var/log",
      ],
    })),
  ];
  return places.flatMap(({ host, folders }) =>
    folders.flatMap((folder) =>
      filesBelow(host.path(folder)).flatMap((file) => {
        const place = file.slice(host.path("/var").length - "/var".length);
        if (/\/castellan-agent\/(?:secrets|previous)\//.test(file)) return [];
        return secretsIn(cluster, readFileSync(file, "latin1")).map(
          (name) => `${host.name}:${place} holds ${name}`,
        );
      }),
    ),
  );
}

function filesBelow(folder: string): readonly string[] {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() && statSync(path).size < 64 * 1024 ** 2 ? [path] : [];
  });
}

/**
 * Looks into the command line and environment of every process, again and again until it is stopped: answers
 * those that held a password.
 */
export function watchProcesses(cluster: TestCluster): { stop(): readonly string[] } {
  const found = new Set<string>();
  const look = (): void => {
    for (const pid of readdirSync("/proc")) {
      if (!/^\d+$/.test(pid)) continue;
      for (const file of ["cmdline", "environ"]) {
        const text = readProc(`/proc/${pid}/${file}`);
        for (const name of secretsIn(cluster, text)) {
          found.add(
            `${file} of ${readProc(`/proc/${pid}/cmdline`).replaceAll("\0", " ").slice(0, 80)}: ${name}`,
          );
        }
      }
    }
  };
  const timer = setInterval(look, 30);
  return {
    stop: () => {
      clearInterval(timer);
      return [...found];
    },
  };
}

/** It may have ended since its folder was listed. */
function readProc(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
