import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { commandKinds } from "#shared/domain/commands.ts";
import type { NodePaths } from "#shared/domain/cluster.ts";
import { createLog } from "#shared/log.ts";
import { productOf } from "#shared/products/product.ts";
import { systemClock } from "#shared/time.ts";
import { createDatabases, type DatabasesWithEdges } from "#agent/adapters/databases.ts";
import { createFiles } from "#agent/adapters/files.ts";
import { createJobs } from "#agent/adapters/jobs.ts";
import { createLedger } from "#agent/adapters/ledger.ts";
import { openClusterView } from "#agent/guard/cluster-view-file.ts";
import { openDecisionRing } from "#agent/guard/decision-ring.ts";
import { openGuardModes } from "#agent/guard/guard-modes.ts";
import { openGuardMarks } from "#agent/guard/marks.ts";
import { createReservations } from "#agent/guard/reservations.ts";
import { createProgramRunner, createPrograms } from "#agent/adapters/programs.ts";
import { createRootHelper } from "#agent/adapters/root-helper-client.ts";
import { createSecrets } from "#agent/adapters/secrets.ts";
import type { Ports } from "#agent/ports.ts";
import { defaultGuard, defaultLimits, type AgentSettings } from "#agent/settings.ts";
import { createExpectedChanges, type ExpectedChanges } from "#agent/watch/expected-changes.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import type { PoolNode } from "#test/harness/pool.ts";

export type NodePorts = AsyncDisposable & {
  readonly ports: Omit<Ports, "observe" | "guardView">;
  readonly expected: ExpectedChanges;
  readonly databases: DatabasesWithEdges;
};

export type NodePortsInput = {
  readonly settings: AgentSettings;
  readonly databasePassword: string | null;
  readonly pcpPassword?: string;
  readonly replicationPassword?: string;
};

/** Loopback hosts with addresses of this test process's own: servers of parallel tests use the same ports. */
export function ownHosts(...names: readonly string[]): { name: string; address: string }[] {
  const network = `127.${10 + (process.pid % 200)}.${Math.floor(process.pid / 200) % 250}`;
  return names.map((name, index) => ({ name, address: `${network}.${127 + index}` }));
}

/** The agent's real adapters, as main.ts wires them, for one node. */
export async function createNodePorts(input: NodePortsInput): Promise<NodePorts> {
  const { settings } = input;
  const { stateDirectory } = settings;
  mkdirSync(stateDirectory, { recursive: true, mode: 0o700 });
  const clock = systemClock;
  const log = createLog("test", "silent");
  const secrets = await createSecrets(stateDirectory);
  if (input.databasePassword !== null) await secrets.set("database", input.databasePassword);
  if (input.pcpPassword !== undefined) await secrets.set("pcp", input.pcpPassword);
  if (input.replicationPassword !== undefined) {
    await secrets.set("replication", input.replicationPassword);
  }
  const expected = createExpectedChanges();
  const runner = createProgramRunner({ home: "/tmp" });
  const databases = createDatabases({
    settings: settings.database,
    secret: (name) => secrets.get(name),
    clock,
    log,
    random: Math.random,
  });
  const files = await createFiles({
    allowedPaths: settings.allow.paths,
    stateDirectory,
    mostBytes: settings.limits.watchedFileBytes,
    kept: { versions: 20, bytes: 10_000_000 },
    clock,
    expect: (path, hash) => expected.expect(path, hash),
  });
  const ports: Omit<Ports, "observe" | "guardView"> = {
    settings,
    product: productOf(settings.product),
    clock,
    log,
    programs: createPrograms(settings.allow.programs, runner),
    files,
    databases,
    secrets,
    rootHelper: createRootHelper({ command: null, runner, clock, home: "/tmp" }),
    ledger: await createLedger(`${stateDirectory}/ledger`),
    guardModes: await openGuardModes({ ...settings, clock }),
    guardMarks: await openGuardMarks(settings),
    reservations: createReservations(clock),
    decisions: await openDecisionRing(stateDirectory),
    clusterView: await openClusterView({ ...settings, log }),
    jobs: await createJobs({
      folder: `${stateDirectory}/jobs`,
      allowedPrograms: settings.allow.programs,
      clock,
      home: "/tmp",
    }),
    home: dirname(stateDirectory),
  };
  return {
    ports,
    expected,
    databases,
    [Symbol.asyncDispose]: () => databases[Symbol.asyncDispose](),
  };
}

export function settingsFor(input: {
  readonly node: string;
  readonly product: AgentSettings["product"];
  readonly paths: NodePaths;
  readonly database: AgentSettings["database"];
  readonly stateDirectory: string;
  readonly pool?: AgentSettings["pool"];
  readonly limits?: Partial<AgentSettings["limits"]>;
}): AgentSettings {
  const { paths } = input;
  return {
    node: input.node,
    coordinator: {
      url: "wss://127.0.0.1:7443/agent",
      certificateFile: "/nonexistent/certificate.pem",
      secretFile: "/nonexistent/secret",
    },
    stateDirectory: input.stateDirectory,
    product: input.product,
    paths,
    database: input.database,
    pool: input.pool ?? null,
    rootHelper: null,
    start: { mode: "ctl" },
    allow: {
      paths: [paths.root ?? paths.dataDirectory, paths.dataDirectory],
      programs: [
        paths.binDirectory,
        "/usr/bin",
        ...(input.pool == null ? [] : [input.pool.binDirectory]),
      ],
      verbs: [...commandKinds],
    },
    guard: defaultGuard,
    limits: { ...defaultLimits, ...input.limits },
  };
}

/** Settings of a node of a test cluster, as `castellan-agent join` would write them. */
export function clusterNodeSettings(
  cluster: TestCluster,
  name: string,
  more: { readonly pool?: PoolNode; readonly limits?: Partial<AgentSettings["limits"]> } = {},
): AgentSettings {
  const { paths, address, port } = cluster.node(name);
  const { product, superuser, database } = cluster.lane;
  const { pool } = more;
  return settingsFor({
    node: name,
    product,
    paths: {
      root: product === "kingbase-v8r3" ? paths.root : null,
      binDirectory: paths.binDir,
      dataDirectory: paths.dataDir,
      configFile: paths.configFile,
      hbaFile: paths.hbaFile,
      identFile: paths.identFile,
    },
    database: { host: address, port, name: database, user: superuser },
    stateDirectory: `${cluster.lab.folder}/agent-${name}`,
    limits: more.limits ?? {},
    pool: pool === undefined ? null : poolSettingsOf(cluster, pool),
  });
}

function poolSettingsOf(cluster: TestCluster, node: PoolNode): NonNullable<AgentSettings["pool"]> {
  const { pools } = cluster;
  if (pools === null) throw new Error("this cluster has no pool");
  return {
    kind: cluster.lane.product === "kingbase-v8r3" ? "kingbasecluster" : "pgpool",
    configFile: node.pool.configFile,
    haModuleFile: null,
    pcpPort: pools.pcpPort,
    port: pools.port,
    socketDirectory: "/tmp",
    pcpUser: pools.pcpUser,
    pcpHost: node.address,
    binDirectory: "/usr/sbin",
  };
}
