import type { NodeDeclaration } from "#shared/domain/cluster.ts";
import { resolveNode } from "./resolve.ts";
import type { ClusterEntry, NodeEntry } from "./schema.ts";

/**
 * The shortest entry that resolves to this node: only what the cluster's defaults don't say. The backend's number is
 * always written, because the default depends on the order of the list.
 */
export function describeNode(cluster: ClusterEntry, node: NodeDeclaration): NodeEntry {
  const managed = node.pool === null ? {} : { management: true };
  const root =
    node.paths.root === null ? {} : differing({ root: node.paths.root }, baseRoot(cluster));
  const bare: NodeEntry = { name: node.name, address: node.address, ...managed, ...root };
  const defaults = resolveNode(cluster, bare, node.backendId);
  const { dataDirectory, binDirectory } = node.paths;
  const withData: NodeEntry = { ...bare, ...differing({ dataDirectory }, defaults.paths) };
  const places = resolveNode(cluster, withData, node.backendId).paths;
  const { configFile, hbaFile, identFile } = node.paths;
  const pool =
    node.pool === null || defaults.pool === null
      ? {}
      : differing(
          { ...node.pool, haModuleFile: node.pool.haModuleFile ?? undefined },
          defaults.pool,
        );
  return {
    ...bare,
    ...(node.nic === null ? {} : { nic: node.nic }),
    ...differing({ port: node.port, slot: node.slot }, defaults),
    ...differing({ binDirectory }, defaults.paths),
    ...differing({ dataDirectory }, defaults.paths),
    ...differing({ configFile, hbaFile, identFile }, places),
    ...(node.backendId === null ? {} : { backend: node.backendId }),
    ...(Object.keys(pool).length === 0 ? {} : { pool }),
  };
}

function baseRoot(cluster: ClusterEntry): { readonly root: string | undefined } {
  return { root: cluster.root };
}

/** The entries of `wanted` that the defaults don't have. */
function differing<T extends object>(
  wanted: T,
  defaults: { readonly [K in keyof T]?: T[K] | null | undefined },
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const result: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  for (const key in wanted) {
    const value = wanted[key];
    // `undefined` is excluded right here, which the compiler can't follow through the index.
    if (value !== undefined && value !== defaults[key]) {
      result[key] = value as Exclude<T[typeof key], undefined>;
    }
  }
  return result;
}
