import type {
  ClusterDeclaration,
  NodeDeclaration,
  NodePaths,
  PoolPaths,
} from "#shared/domain/cluster.ts";
import { slotNameFor } from "#shared/domain/names.ts";
import { productOf } from "#shared/products/product.ts";
import type { ClusterEntry, ClusterYaml, NodeEntry } from "./schema.ts";

/** Fills in what a person left out, from the product's table. */
export function resolveCluster({ cluster, nodes }: ClusterYaml): ClusterDeclaration {
  const product = productOf(cluster.product);
  const database = cluster.database ?? {};
  const backends = backendIds(cluster, nodes);
  return {
    name: cluster.name,
    product: cluster.product,
    pool: poolKindOf(cluster),
    database: {
      name: database.name ?? product.defaults.database,
      replicationUser: database.replicationUser ?? product.defaults.replicationUser,
      maintenanceUser: database.maintenanceUser ?? product.defaults.maintenanceUser,
    },
    virtualAddresses: {
      database: database.virtualAddress ?? null,
      pool: cluster.pool?.virtualAddress ?? null,
    },
    trustAddresses: cluster.trustAddresses ?? [],
    nodes: nodes.map((node, index) => resolveNode(cluster, node, backends[index] ?? null)),
  };
}

export function resolveNode(
  cluster: ClusterEntry,
  node: NodeEntry,
  backendId: number | null,
): NodeDeclaration {
  const product = productOf(cluster.product);
  return {
    name: node.name,
    address: node.address,
    port: node.port ?? cluster.database?.port ?? product.defaults.port,
    slot: node.slot ?? slotNameFor(node.name),
    nic: node.nic ?? null,
    paths: resolvePaths(cluster, node),
    backendId: poolKindOf(cluster) === "none" ? null : backendId,
    pool: node.management === true ? resolvePool(cluster, node) : null,
  };
}

function poolKindOf(cluster: ClusterEntry): ClusterDeclaration["pool"] {
  return cluster.pool?.kind ?? productOf(cluster.product).defaults.pool;
}

function resolvePaths(cluster: ClusterEntry, node: NodeEntry): NodePaths {
  const product = productOf(cluster.product);
  const major = cluster.database?.version;
  const layout = product.layout({
    root: node.root ?? cluster.root ?? null,
    versionNumber: major === undefined ? null : major * 10_000,
  });
  const dataDirectory = node.dataDirectory ?? cluster.dataDirectory ?? layout.dataDirectory;
  return {
    root: layout.root,
    binDirectory: node.binDirectory ?? cluster.binDirectory ?? layout.binDirectory,
    dataDirectory,
    configFile: node.configFile ?? cluster.configFile ?? `${dataDirectory}/${product.files.conf}`,
    hbaFile: node.hbaFile ?? cluster.hbaFile ?? `${dataDirectory}/${product.files.hba}`,
    identFile: node.identFile ?? cluster.identFile ?? `${dataDirectory}/${product.files.ident}`,
  };
}

function resolvePool(cluster: ClusterEntry, node: NodeEntry): PoolPaths {
  const layout = productOf(cluster.product).poolLayout(node.root ?? cluster.root ?? null);
  const here = node.pool ?? {};
  const common = cluster.pool ?? {};
  return {
    configFile: here.configFile ?? common.configFile ?? layout.configFile,
    haModuleFile: here.haModuleFile ?? common.haModuleFile ?? layout.haModuleFile,
    pcpPort: here.pcpPort ?? common.pcpPort ?? layout.pcpPort,
    port: here.port ?? common.port ?? layout.port,
    socketDirectory: here.socketDirectory ?? common.socketDirectory ?? layout.socketDirectory,
  };
}

/** Rows that are not written take the lowest free numbers, in the order of the nodes. */
export function backendIds(
  cluster: ClusterEntry,
  nodes: readonly NodeEntry[],
): readonly (number | null)[] {
  if (poolKindOf(cluster) === "none") return nodes.map(() => null);
  const taken = new Set(nodes.flatMap((node) => node.backend ?? []));
  let next = 0;
  return nodes.map((node) => {
    if (node.backend !== undefined) return node.backend;
    while (taken.has(next)) next += 1;
    taken.add(next);
    return next;
  });
}
