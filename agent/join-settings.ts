import { copyMarkerFor, oldDirectoryFor, stagingDirectoryFor } from "#shared/domain/names.ts";
import { commandKinds, type CommandKind } from "#shared/domain/commands.ts";
import type { NodePaths, PoolKind, PoolPaths, ProductId } from "#shared/domain/cluster.ts";
import { productOf } from "#shared/products/product.ts";
import { defaultGuard, defaultLimits, type AgentSettings } from "./settings.ts";

/** What the pasted line and its options say of this host; null is left to the product's defaults. */
export type JoinInput = {
  readonly coordinator: { readonly host: string; readonly port: number };
  readonly node: string;
  readonly product: ProductId;
  /** Of the database's OS user. */
  readonly home: string;
  readonly stateDirectory: string;
  readonly root: string | null;
  readonly binDirectory: string | null;
  readonly dataDirectory: string | null;
  /** Where the server's own files are outside the data directory. */
  readonly configFile: string | null;
  readonly hbaFile: string | null;
  readonly identFile: string | null;
  readonly port: number | null;
  readonly databaseHost: string | null;
  readonly databaseUser: string | null;
  readonly databaseName: string | null;
  readonly pool: PoolInput | null;
  readonly start: AgentSettings["start"];
  readonly rootHelper: readonly string[] | null;
  readonly morePaths: readonly string[];
  readonly morePrograms: readonly string[];
};

export type PoolInput = {
  readonly kind: Exclude<PoolKind, "none">;
  readonly configFile: string | null;
  readonly binDirectory: string | null;
  readonly pcpUser: string | null;
  readonly pcpHost: string | null;
  /** Options first, then what the pool's own configuration says. */
  readonly port: number | null;
  readonly pcpPort: number | null;
  readonly socketDirectory: string | null;
};

/** agent.yaml for this host: what was said, else what the product table says. */
export function joinSettings(input: JoinInput): AgentSettings {
  const product = productOf(input.product);
  const layout = product.layout({ root: input.root, versionNumber: null });
  const data = input.dataDirectory ?? layout.dataDirectory;
  const paths: NodePaths = {
    root: layout.root,
    binDirectory: input.binDirectory ?? layout.binDirectory,
    dataDirectory: data,
    configFile: input.configFile ?? `${data}/${product.files.conf}`,
    hbaFile: input.hbaFile ?? `${data}/${product.files.hba}`,
    identFile: input.identFile ?? `${data}/${product.files.ident}`,
  };
  const pool = input.pool === null ? null : poolOf(input.pool, input);
  const { host, port } = input.coordinator;
  const address = host.includes(":") ? `[${host}]` : host;
  return {
    node: input.node,
    coordinator: {
      url: `wss://${address}:${port}/agent`,
      certificateFile: `${input.stateDirectory}/coordinator.pem`,
      secretFile: `${input.stateDirectory}/agent-secret`,
    },
    stateDirectory: input.stateDirectory,
    product: input.product,
    paths,
    database: {
      host: input.databaseHost ?? "127.0.0.1",
      port: input.port ?? product.defaults.port,
      name: input.databaseName ?? product.defaults.database,
      user: input.databaseUser ?? product.defaults.maintenanceUser,
    },
    pool,
    rootHelper: input.rootHelper === null ? null : [...input.rootHelper],
    start: input.start,
    allow: {
      paths: allowedPaths(input, paths, pool),
      programs: unique([
        paths.binDirectory,
        ...(pool === null ? [] : [pool.binDirectory]),
        "/usr/bin",
        "/usr/sbin",
        "/bin",
        "/sbin",
        ...input.morePrograms,
      ]),
      verbs: [...commandKinds] as CommandKind[], // a copy: the list itself is read-only
    },
    guard: defaultGuard,
    limits: defaultLimits,
  };
}

function poolOf(pool: PoolInput, { root }: JoinInput): NonNullable<AgentSettings["pool"]> {
  const layout: PoolPaths =
    pool.kind === "kingbasecluster"
      ? productOf("kingbase-v8r3").poolLayout(root)
      : productOf("postgresql").poolLayout(root);
  const configFile = pool.configFile ?? layout.configFile;
  const home = configFile.replace(/\/etc\/[^/]+$/, "");
  return {
    kind: pool.kind,
    configFile,
    haModuleFile: layout.haModuleFile,
    pcpPort: pool.pcpPort ?? layout.pcpPort,
    port: pool.port ?? layout.port,
    socketDirectory: pool.socketDirectory ?? layout.socketDirectory,
    pcpUser: pool.pcpUser ?? (pool.kind === "kingbasecluster" ? "kingbase" : "pgpool"),
    pcpHost: pool.pcpHost ?? "127.0.0.1",
    binDirectory:
      pool.binDirectory ?? (pool.kind === "kingbasecluster" ? `${home}/bin` : "/usr/sbin"),
  };
}

/** The node's own directories and the files that are watched, so that each can be put back, and no other. */
function allowedPaths(input: JoinInput, paths: NodePaths, pool: AgentSettings["pool"]): string[] {
  const { vendor, watchedFiles } = productOf(input.product);
  const places = [
    ...(paths.root === null ? [] : [paths.root]),
    paths.dataDirectory,
    // Where a base backup is copied to before it takes its place.
    stagingDirectoryFor(paths.dataDirectory),
    copyMarkerFor(stagingDirectoryFor(paths.dataDirectory)),
    oldDirectoryFor(paths.dataDirectory),
    ...[paths.configFile, paths.hbaFile, paths.identFile].map((file) =>
      // Debian keeps them in a directory of their own, which a new node may have to get.
      file.startsWith(`${paths.dataDirectory}/`) ? file : file.slice(0, file.lastIndexOf("/")),
    ),
    ...(vendor === null ? [] : [vendor.runFlagFile]),
  ];
  const files = watchedFiles(paths, pool, input.home)
    // Root's, and written by its helper.
    .filter(({ format }) => format !== "cron")
    .map(({ path }) => path)
    .filter((path) => !places.some((place) => path.startsWith(`${place}/`)));
  return unique([...places, ...files, ...input.morePaths]);
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)];
}
