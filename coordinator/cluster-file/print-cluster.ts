import { stringify } from "yaml";
import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import { Failure } from "#shared/errors.ts";
import { productOf } from "#shared/products/product.ts";
import { describeNode } from "./describe-node.ts";
import { parseClusterFile } from "./parse.ts";
import type { ClusterEntry } from "./schema.ts";

/** A whole cluster.yaml: short, with comments for whoever edits it next. Reading it gives the same declaration. */
export function printClusterYaml(
  declaration: ClusterDeclaration,
  warnings: readonly string[] = [],
): string {
  const cluster = clusterEntry(declaration);
  const nodes = declaration.nodes.map((node) => describeNode(cluster, node));
  const text = [
    `# Cluster ${declaration.name} as Castellan manages it. Written by "castellan cluster import"; yours to edit.`,
    '# What is left out follows the product\'s defaults: "castellan cluster show" prints everything.',
    '# After an edit: "castellan cluster validate".',
    ...warnings.map((warning) => `# Check: ${warning.replaceAll(/\s+/g, " ")}`),
    "",
    "cluster:",
    ...indented(cluster, 2),
    "",
    "# Data nodes. `management: true` are those that run the pool; `backend` is a node's number there, never changed.",
    "nodes:",
    ...nodes.flatMap((node) => {
      const [first = "", ...rest] = indented(node, 4);
      return [`  - ${first.trimStart()}`, ...rest];
    }),
    "",
  ].join("\n");
  const read = parseClusterFile(`${declaration.name}.yaml`, text);
  if (JSON.stringify(canonical(read)) !== JSON.stringify(canonical(declaration))) {
    throw new Failure(
      "INTERNAL",
      `${declaration.name}.yaml would not declare the cluster as it is.`,
    );
  }
  return text;
}

/** What all nodes have in common stands once. */
function clusterEntry(declaration: ClusterDeclaration): ClusterEntry {
  const { nodes, virtualAddresses } = declaration;
  const { defaults } = productOf(declaration.product);
  const paths = nodes.map((node) => node.paths);
  const pools = nodes.flatMap((node) => node.pool ?? []);
  const common = <T>(values: readonly T[]): T | undefined => {
    const [first] = values;
    return values.every((value) => value === first) ? first : undefined;
  };
  const place = {
    root: common(paths.map((path) => path.root)) ?? undefined,
    binDirectory: common(paths.map((path) => path.binDirectory)),
    dataDirectory: common(paths.map((path) => path.dataDirectory)),
    configFile: common(paths.map((path) => path.configFile)),
    hbaFile: common(paths.map((path) => path.hbaFile)),
    identFile: common(paths.map((path) => path.identFile)),
  };
  const layout = productOf(declaration.product).layout({
    root: place.root ?? null,
    versionNumber: null,
  });
  const port = common(nodes.map((node) => node.port));
  const poolLayout = productOf(declaration.product).poolLayout(place.root ?? null);
  const pool = {
    port: common(pools.map((row) => row.port)),
    pcpPort: common(pools.map((row) => row.pcpPort)),
    configFile: common(pools.map((row) => row.configFile)),
    haModuleFile: common(pools.map((row) => row.haModuleFile)) ?? undefined,
    socketDirectory: common(pools.map((row) => row.socketDirectory)),
  };
  return withoutEmpty({
    name: declaration.name,
    product: declaration.product,
    root: place.root,
    ...unlike({ binDirectory: place.binDirectory, dataDirectory: place.dataDirectory }, layout),
    ...unlike(
      { configFile: place.configFile, hbaFile: place.hbaFile, identFile: place.identFile },
      inside(declaration, place.dataDirectory),
    ),
    pool: withoutEmpty({
      kind: declaration.pool,
      ...unlike(pool, { ...poolLayout, haModuleFile: poolLayout.haModuleFile ?? undefined }),
      virtualAddress: virtualAddresses.pool ?? undefined,
    }),
    database: withoutEmpty({
      name: declaration.database.name,
      port: port === defaults.port ? undefined : port,
      replicationUser: declaration.database.replicationUser,
      maintenanceUser: declaration.database.maintenanceUser,
      virtualAddress: virtualAddresses.database ?? undefined,
    }),
    trustAddresses: declaration.trustAddresses,
  });
}

function inside(declaration: ClusterDeclaration, dataDirectory: string | undefined) {
  const { files } = productOf(declaration.product);
  if (dataDirectory === undefined) return {};
  return {
    configFile: `${dataDirectory}/${files.conf}`,
    hbaFile: `${dataDirectory}/${files.hba}`,
    identFile: `${dataDirectory}/${files.ident}`,
  };
}

function unlike<T extends object>(
  values: T,
  defaults: { readonly [K in keyof T]?: unknown },
): Partial<T> {
  const result: Partial<T> = {};
  for (const key in values) {
    if (values[key] !== undefined && values[key] !== defaults[key]) result[key] = values[key];
  }
  return result;
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function withoutEmpty<T extends object>(value: T): Defined<T> {
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries) as Defined<T>; // only what is undefined was taken out
}

function indented(value: object, spaces: number): readonly string[] {
  const lead = " ".repeat(spaces);
  return stringify(value, { lineWidth: 0, flowCollectionPadding: false })
    .trimEnd()
    .split("\n")
    .map((line) => lead + line);
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, canonical(inner)]));
}
