import { dirname } from "node:path";
import { execa } from "execa";
import type { ClusterModel, ClusterNode } from "./cluster-model.ts";
import { serverSettings, writeStandbyFiles } from "./server-files.ts";

/** A base backup made the quick way: the primary is stopped and its files are copied. */
export async function copyData(
  model: ClusterModel,
  from: ClusterNode,
  to: ClusterNode,
): Promise<void> {
  const { lane, lab, passwords, port } = model;
  const { host, paths } = to;
  if (lane.layout === "debian") {
    const folder = dirname(paths.configFile);
    await host.makeDirectory(dirname(folder), { owner: lane.osUser });
    await host.makeDirectory(paths.root, { owner: lane.osUser });
    await copyTree(from, to, folder, folder);
  }
  await copyTree(from, to, paths.dataDir, from.paths.dataDir);
  if (model.options.tablespace !== undefined) await moveTablespace(model, from, to);
  if (lane.layout !== "debian") {
    await writeConfiguration(model, to, lab.mode === "loopback" ? host.address : "*");
  }
  await writeStandbyFiles(host, lane, paths, {
    name: to.name,
    address: from.address,
    port,
    user: lane.replicationUser,
    password: passwords.replication,
    slot: to.slot,
    passfile: `${host.root}/var/lib/postgresql/.pgpass`,
  });
}

async function moveTablespace(
  model: ClusterModel,
  from: ClusterNode,
  to: ClusterNode,
): Promise<void> {
  const { tablespace } = model.options;
  const source = `${from.host.root}${tablespace}`;
  const target = `${to.host.root}${tablespace}`;
  await copyTree(from, to, target, source);
  const script = `for l in "$1"/pg_tblspc/*; do [ -L "$l" ] && ln -sfn "$2" "$l" && chown -h --reference="$1" "$l"; done`;
  await to.host.exec(["sh", "-c", script, "sh", to.paths.dataDir, target]);
}

/** Copies between two hosts' disks from outside, where both can be seen. */
async function copyTree(
  from: ClusterNode,
  to: ClusterNode,
  target: string,
  source: string,
): Promise<void> {
  await execa("cp", ["-aT", from.host.path(source), to.host.path(target)]);
}

/** Appends the cluster's settings for one node, or puts them in place of another node's. */
export async function writeConfiguration(
  model: ClusterModel,
  { host, paths }: ClusterNode,
  listenAddresses: string,
): Promise<void> {
  const { lane, port, options } = model;
  const made = await host.readFile(paths.configFile);
  // The marker's repeated use keeps one block at the end: a copied node's own replaces the primary's.
  const [before = ""] = made.split("\n# ---- cluster settings ----\n");
  const block = serverSettings({
    lane,
    paths,
    listenAddresses,
    port,
    fsync: options.fsync ?? false,
    synchronousNames:
      options.synchronous === true ? `1 (${model.nodes.map(({ name }) => name).join(", ")})` : "",
    settings: options.settings ?? {},
  });
  await host.writeFile(paths.configFile, before + block, { owner: lane.osUser, mode: 0o600 });
}
