import { createHash } from "node:crypto";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import type { Castellan } from "#test/harness/castellan.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";

/** Folders of a host in which anything that Castellan makes would lie. */
const folders = ["/etc", "/home", "/opt", "/root", "/srv", "/tmp", "/var/lib", "/var/spool"];

/**
 * What a procedure could leave behind, one line each and comparable as text: every file with owner, mode and
 * the hash of its bytes, every slot, and the rows of the pools' files. What servers, pools and agents
 * change by themselves is left out.
 */
export async function traces(
  cluster: TestCluster,
  castellan: Castellan,
): Promise<readonly string[]> {
  const all = [...cluster.nodes, ...(cluster.newNode === null ? [] : [cluster.newNode])];
  const perNode = await Promise.all(
    all.map(async (node) => [...(await filesOf(cluster, node)), ...(await slotsOf(cluster, node))]),
  );
  const declarations = `${castellan.stateDirectory}/clusters`;
  const { coordinatorHost } = castellan;
  const declared = await walk(coordinatorHost.path(declarations), declarations, () => "whole");
  return [...perNode.flat(), ...declared.map((line) => `${coordinatorHost.name} ${line}`)];
}

async function slotsOf(cluster: TestCluster, { name }: ClusterNode): Promise<readonly string[]> {
  if (!(await cluster.isRunning(name))) return [`${name} runs no server`];
  const rows = await cluster.sql(
    name,
    "SELECT slot_name::text AS slot, restart_lsn IS NOT NULL AS reserved FROM pg_replication_slots ORDER BY 1",
  );
  return rows.map(
    ({ slot, reserved }) => `${name} slot ${String(slot)} reserved=${String(reserved)}`,
  );
}

async function filesOf(
  { pools }: TestCluster,
  { name, host, paths }: ClusterNode,
): Promise<readonly string[]> {
  const pool = pools?.nodes.find((candidate) => candidate.name === name)?.pool;
  const depth = (path: string): Depth => {
    if (path === paths.dataDir) return "names";
    if (path === "/opt/castellan" || path.startsWith("/opt/postgres-")) return "none";
    if (path === pool?.statusFile || path === "/var/lib/sudo") return "none";
    if (path === `${paths.root}/archivedir`) return "none";
    if (/\.log$|\.pid$|\/\.s\.[^/]*$|\/logfile$|\/pgpool_status$/.test(path)) return "none";
    const own = /^\/var\/lib\/castellan-agent\/(.+)$/.exec(path)?.[1];
    if (own !== undefined && !/^(?:jobs|secrets|ledger)(?:\/|$)/.test(own)) return "none";
    return "whole";
  };
  const lists = await Promise.all(folders.map((folder) => walk(host.path(folder), folder, depth)));
  // The root helper's own folder comes with its first use; what it remembers there is compared.
  const lines = lists.flat().filter((line) => line !== "/var/lib/castellan-root 700 0:0");
  return lines.map((line) => `${name} ${line}`);
}

/** none: left out; names: a running server's folder, of which only the configuration is compared by content. */
type Depth = "none" | "names" | "whole";

async function walk(
  outside: string,
  inside: string,
  depth: (path: string) => Depth,
): Promise<readonly string[]> {
  const wanted = depth(inside);
  if (wanted === "none") return [];
  const stat = await lstat(outside).catch(() => null);
  if (stat === null) return [];
  const about = `${inside} ${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid}`;
  if (stat.isSymbolicLink()) return [`${about} -> ${await readlink(outside)}`];
  if (stat.isFile()) {
    const hash = createHash("sha256").update(await readFile(outside));
    return [`${about} ${hash.digest("hex").slice(0, 16)}`];
  }
  if (!stat.isDirectory()) return [`${about} special`];
  const names = (await readdir(outside)).sort();
  if (wanted === "names") return [about, ...(await configuration(outside, inside, names))];
  const inner = await Promise.all(
    names.map((name) => walk(join(outside, name), join(inside, name), depth)),
  );
  return [about, ...inner.flat()];
}

async function configuration(
  outside: string,
  inside: string,
  names: readonly string[],
): Promise<readonly string[]> {
  const config = names.filter((name) => /\.(?:conf|signal|done|bk)$/.test(name));
  const lists = await Promise.all(
    config.map((name) => walk(join(outside, name), join(inside, name), () => "whole")),
  );
  const others = names.filter((name) => !config.includes(name) && !name.endsWith(".pid"));
  return [...lists.flat(), `${inside} holds ${others.join(" ")}`];
}
