import { bareAddress } from "#shared/domain/addresses.ts";
import { backendIds, resolveCluster } from "./resolve.ts";
import type { ClusterYaml } from "./schema.ts";
import type { YamlSource } from "./source.ts";

/** What no single value shows: things that only one node may have, and addresses that mean two things. */
export function findContradictions(yaml: ClusterYaml, source: YamlSource): readonly string[] {
  const { nodes } = resolveCluster(yaml);
  const backends = backendIds(yaml.cluster, yaml.nodes);
  const unique: readonly {
    readonly key: string;
    readonly path: string;
    readonly valueOf: (index: number) => string | null;
  }[] = [
    { key: "name", path: "name", valueOf: (i) => nodes[i]?.name.toLowerCase() ?? null },
    {
      key: "address and port",
      path: "address",
      valueOf: (i) => (nodes[i] === undefined ? null : `${nodes[i].address}:${nodes[i].port}`),
    },
    { key: "slot", path: "slot", valueOf: (i) => nodes[i]?.slot ?? null },
    { key: "backend", path: "backend", valueOf: (i) => backends[i]?.toString() ?? null },
  ];
  const complaints: string[] = [];
  for (const { key, path, valueOf } of unique) {
    const first = new Map<string, number>();
    for (const index of nodes.keys()) {
      const value = valueOf(index);
      if (value === null) continue;
      const earlier = first.get(value);
      if (earlier === undefined) {
        first.set(value, index);
        continue;
      }
      const where = source.placeOf(["nodes", index, path]);
      const other = source.placeOf(["nodes", earlier, path]);
      complaints.push(
        `nodes[${index}] (${where}) has the same ${key} as nodes[${earlier}] (${other}): ${value}. Each node needs its own.`,
      );
    }
  }
  return [
    ...complaints,
    ...virtualAddressComplaints(yaml, source),
    ...poolComplaints(yaml, source),
  ];
}

function virtualAddressComplaints(yaml: ClusterYaml, source: YamlSource): readonly string[] {
  const virtual = [
    {
      path: ["cluster", "database", "virtualAddress"],
      value: yaml.cluster.database?.virtualAddress,
    },
    { path: ["cluster", "pool", "virtualAddress"], value: yaml.cluster.pool?.virtualAddress },
  ];
  return virtual.flatMap(({ path, value }) =>
    value === undefined
      ? []
      : yaml.nodes.flatMap((node, index) =>
          node.address === bareAddress(value)
            ? [
                `nodes[${index}].address is ${node.address} (${source.placeOf(["nodes", index, "address"])}), which is ` +
                  `the virtual address of ${source.placeOf(path)}. Give the host's own address: the virtual one moves.`,
              ]
            : [],
        ),
  );
}

function poolComplaints(yaml: ClusterYaml, source: YamlSource): readonly string[] {
  const hasPool = resolveCluster(yaml).pool !== "none";
  return yaml.nodes.flatMap((node, index) => {
    const complaints: string[] = [];
    if (node.management === true && !hasPool) {
      const where = source.placeOf(["nodes", index, "management"]);
      complaints.push(
        `nodes[${index}].management is true (${where}), but the cluster has no pool. Set cluster.pool.kind, or leave it out.`,
      );
    }
    if (node.pool !== undefined && node.management !== true) {
      const where = source.placeOf(["nodes", index, "pool"]);
      complaints.push(
        `nodes[${index}].pool is set (${where}), but the node runs no pool. Add "management: true", or leave it out.`,
      );
    }
    return complaints;
  });
}
