import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Castellan } from "#test/harness/castellan.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import type { Host } from "#test/harness/host.ts";
import { ownersOf, type Owners } from "./owners.ts";

/** Folders of a host in which anything that a procedure makes would lie. */
const onDisk = [
  "/etc",
  "/home",
  "/opt",
  "/root",
  "/srv",
  "/tmp",
  "/var/lib",
  "/var/log",
  "/var/spool",
];
const inMemory = ["/run", "/dev/shm"];

/** What comes and goes by itself: of a server that runs, and of the agent's minute check of the disk. */
const passing = /\.(?:pid|log)$|^pgsql_tmp\.castellan-canary$/;

/**
 * none: left out; present: its owner and mode only; names: a folder of a server's own files, of which only the
 * configuration is compared by content; whole: every byte.
 */
type Depth = "none" | "present" | "names" | "whole";

/** Every file, folder, link and socket of a host with owner, mode and a hash; configuration with its text. */
export async function fileEntries(
  cluster: TestCluster,
  castellan: Castellan,
  host: Host,
): Promise<Record<string, string>> {
  const depthOf = depths(cluster, castellan, host);
  const owners = await ownersOf(host);
  const places = host.isUp() ? [...onDisk, ...inMemory] : onDisk;
  const found: Record<string, string> = {};
  await Promise.all(
    places.map((place) => walk(outsideOf(host, place), place, depthOf, owners, found)),
  );
  return found;
}

/** A host that runs is looked at through its own mounts, so that one which a test made over a folder counts. */
function outsideOf(host: Host, place: string): string {
  const isNamespace = host.root === "";
  return host.isUp() && isNamespace
    ? join(host.path("/proc"), "..", place)
    : host.path(`${host.root}${place}`);
}

function depths(
  cluster: TestCluster,
  { coordinatorHost, stateDirectory }: Castellan,
  host: Host,
): (path: string) => Depth {
  const nodes = [...cluster.nodes, ...(cluster.newNode === null ? [] : [cluster.newNode])];
  const paths = nodes.find((node) => node.host === host)?.paths;
  const pool = cluster.pools?.nodes.find((node) => node.host === host)?.pool;
  return (path) => {
    if (/^\/opt\/(?:castellan|postgres-\d+|node)$|^\/var\/lib\/(?:sudo|systemd)$/.test(path)) {
      return "none";
    }
    if (/^\/run\/(?:systemd|log|user|udev|dbus|utmp|sudo)$/.test(path)) return "none";
    // What Castellan keeps for itself (journal, earlier commands and versions) has limits of its own.
    const part = /^\/var\/lib\/castellan-agent\/([^/]+)/.exec(path)?.[1];
    if (part !== undefined && !/^(?:jobs|secrets|ledger|pending)$/.test(part)) return "none";
    if (host === coordinatorHost && path.startsWith(`${stateDirectory}/`)) {
      return path.startsWith(`${stateDirectory}/clusters`) ? "whole" : "none";
    }
    // The lab's own, and what its pools' failover command says.
    if (path.endsWith("/.pcppass-lab") || path === pool?.failoverLog) return "none";
    if (paths !== undefined && path === paths.dataDir) return "names";
    if (/\/(?:PG|SYS)_\d[^/]*$/.test(path) || path === `${paths?.root}/archivedir`)
      return "present";
    if (path === pool?.statusFile || path.endsWith("/pgpool_status")) return "present";
    if (/\.(?:log|pid|lock)$|\/logfile$|^\/var\/log\/.*[^/]$/.test(path)) return "present";
    return "whole";
  };
}

async function walk(
  outside: string,
  inside: string,
  depthOf: (path: string) => Depth,
  owners: Owners,
  found: Record<string, string>,
): Promise<void> {
  const depth = depthOf(inside);
  // It may go while it is looked at.
  const stat = depth === "none" ? null : await lstat(outside).catch(() => null);
  if (stat === null) return;
  const mode = (stat.mode & 0o7777).toString(8).padStart(3, "0");
  const about = `${mode} ${owners.user(stat.uid)}:${owners.group(stat.gid)}`;
  if (stat.isSymbolicLink()) {
    const target = await readlink(outside).catch(() => "?");
    found[`link ${inside}`] = `${about} to ${target}`;
  } else if (stat.isFile() && inside.startsWith("/dev/shm/PostgreSQL.")) {
    // A server's shared memory: named and written as it likes.
    found["file /dev/shm/PostgreSQL.*"] = about;
  } else if (stat.isFile()) {
    found[`file ${inside}`] = depth === "present" ? about : `${about}${await content(outside)}`;
  } else if (stat.isDirectory()) {
    // The root helper's folder comes with its first use and stays; what it remembers in there is compared.
    if (inside !== "/var/lib/castellan-root") found[`folder ${inside}`] = about;
    if (depth === "present") return;
    const names = await readdir(outside).catch(() => []);
    const compared = depth === "whole" ? names : names.filter(isConfiguration);
    if (depth === "names") {
      const others = names.filter((name) => !isConfiguration(name) && !passing.test(name));
      found[`folder ${inside}`] = `${about} with ${others.sort().join(" ")}`;
    }
    await Promise.all(
      compared.map((name) => walk(join(outside, name), join(inside, name), depthOf, owners, found)),
    );
  } else {
    found[`${stat.isSocket() ? "socket" : "special file"} ${inside}`] = about;
  }
}

function isConfiguration(name: string): boolean {
  return /\.(?:conf|signal|done|bk|incomplete)$/.test(name);
}

/** Short texts whole, so that a difference shows its lines; a hash of anything else. */
async function content(outside: string): Promise<string> {
  const bytes = await readFile(outside).catch(() => null);
  if (bytes === null) return " unreadable";
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 12);
  const about = `, ${bytes.length} bytes ${hash}`;
  const isShown =
    bytes.length < 65_536 &&
    (/\.(?:conf|signal|done|bk|yaml|json)$/.test(outside) ||
      /\/(?:cron\.d|crontabs|sudoers\.d)\//.test(outside));
  return isShown && !bytes.includes(0) ? `${about}\n${bytes.toString("utf8")}` : about;
}
