import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { createDatabases } from "#agent/adapters/databases.ts";
import { createFiles } from "#agent/adapters/files.ts";
import { createJobs } from "#agent/adapters/jobs.ts";
import { createLedger } from "#agent/adapters/ledger.ts";
import { createProgramRunner, createPrograms } from "#agent/adapters/programs.ts";
import { createSecrets } from "#agent/adapters/secrets.ts";
import type { StepContext } from "#agent/ports.ts";
import { defaultGuard, defaultLimits, type AgentSettings } from "#agent/settings.ts";
import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";
import { commandKinds, type Progress, type Upstream } from "#shared/domain/commands.ts";
import { createLog } from "#shared/log.ts";
import { productOf } from "#shared/products/product.ts";
import { systemClock } from "#shared/time.ts";
import { becomeDatabaseUser } from "./become-user.ts";

export const binDirectory = "/usr/lib/postgresql/15/bin";
const superuserPassword = "super:secret";
const replicationPassword = "repl'pass word";

/** Two hosts in one: a PostgreSQL 15 primary `n1`, and the place for `n2`. */
export type StepLab = AsyncDisposable & {
  readonly folder: string;
  readonly n1: NodeDeclaration;
  readonly n2: NodeDeclaration;
  readonly cluster: ClusterDeclaration;
  /** Login with the maintenance user, as the steps are told. */
  readonly upstream: Upstream;
  /** The same, with the replication user. */
  readonly source: Upstream;
  /** What a freshly started agent on that host would have: everything but the files is made anew. */
  agent(node: "n1" | "n2", options?: AgentOptions): Promise<TestAgent>;
  sql(port: number, sql: string, database?: string): Promise<string>;
  readonly progress: Progress[];
};
export type AgentOptions = {
  readonly operationId?: string;
  readonly signal?: AbortSignal;
  readonly bin?: string;
};
export type TestAgent = StepContext & AsyncDisposable;

export async function createStepLab(
  options: { readonly conf?: readonly string[]; readonly hba?: readonly string[] } = {},
): Promise<StepLab> {
  becomeDatabaseUser();
  const folder = await mkdtemp(join(tmpdir(), "castellan-steps-"));
  const [n1, n2] = [node(folder, "n1", await freePort()), node(folder, "n2", await freePort())];
  const progress: Progress[] = [];
  await mkdir(join(folder, "n1"));
  await mkdir(join(folder, "n2"));
  await startPrimary(folder, n1, options);
  const cluster: ClusterDeclaration = {
    name: "LAB",
    product: "postgresql",
    pool: "none",
    database: { name: "postgres", replicationUser: "replicator", maintenanceUser: "postgres" },
    virtualAddresses: { database: null, pool: null },
    trustAddresses: [],
    nodes: [n1],
  };
  const upstream: Upstream = {
    node: "n1",
    host: n1.address,
    port: n1.port,
    user: "postgres",
    database: "postgres",
  };
  return {
    folder,
    n1,
    n2,
    cluster,
    upstream,
    source: { ...upstream, user: "replicator" },
    progress,
    agent: (name, agentOptions) =>
      createTestAgent(folder, name === "n1" ? n1 : n2, progress, agentOptions),
    sql: (port, sql, database = "postgres") => runSql(folder, port, sql, database),
    [Symbol.asyncDispose]: async () => {
      for (const { paths } of [n2, n1]) await stopServer(paths.dataDirectory);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function node(folder: string, name: string, port: number): NodeDeclaration {
  const data = join(folder, name, "data");
  return {
    name,
    address: "127.0.0.1",
    port,
    slot: `slot_${name}`,
    nic: null,
    paths: {
      root: null,
      binDirectory,
      dataDirectory: data,
      configFile: `${data}/postgresql.conf`,
      hbaFile: `${data}/pg_hba.conf`,
      identFile: `${data}/pg_ident.conf`,
    },
    backendId: null,
    pool: null,
  };
}

async function startPrimary(
  folder: string,
  { paths, port }: NodeDeclaration,
  options: { readonly conf?: readonly string[]; readonly hba?: readonly string[] },
): Promise<void> {
  const passwordFile = join(folder, "initdb-password");
  await writeFile(passwordFile, superuserPassword, { mode: 0o600 });
  await execa(`${binDirectory}/initdb`, [
    "-D",
    paths.dataDirectory,
    "-U",
    "postgres",
    "--pwfile",
    passwordFile,
    "-N",
    "--auth=scram-sha-256",
    "--locale=C",
    "-E",
    "UTF8",
  ]);
  const conf = [
    `port = ${port}`,
    "listen_addresses = '127.0.0.1'",
    "unix_socket_directories = ''",
    "wal_level = replica",
    "hot_standby = on",
    "fsync = off",
    "max_wal_senders = 8",
    "max_replication_slots = 8",
    ...(options.conf ?? []),
  ];
  await writeFile(paths.configFile, `${conf.join("\n")}\n`);
  const hba = ["host all postgres 127.0.0.1/32 scram-sha-256", ...(options.hba ?? [])];
  await writeFile(paths.hbaFile, `${hba.join("\n")}\n`);
  const log = join(folder, "n1", "server.log");
  const start = ["-D", paths.dataDirectory, "-w", "-l", log, "start"];
  await execa(`${binDirectory}/pg_ctl`, start, { stdio: "ignore" });
  const line = `127.0.0.1:*:*:postgres:${superuserPassword.replaceAll(":", "\\:")}\n`;
  await writeFile(join(folder, "pgpass"), line, { mode: 0o600 });
  const quoted = replicationPassword.replaceAll("'", "''");
  await runSql(folder, port, `CREATE ROLE replicator LOGIN REPLICATION PASSWORD '${quoted}'`);
}

async function runSql(
  folder: string,
  port: number,
  sql: string,
  database = "postgres",
): Promise<string> {
  const { stdout } = await execa(
    `${binDirectory}/psql`,
    ["-h", "127.0.0.1", "-p", String(port), "-U", "postgres", "-d", database, "-XAtqc", sql],
    { env: { PGPASSFILE: join(folder, "pgpass") } },
  );
  return stdout;
}

async function stopServer(dataDirectory: string): Promise<void> {
  await execa(`${binDirectory}/pg_ctl`, ["-D", dataDirectory, "-m", "immediate", "-w", "stop"], {
    reject: false,
  });
}

async function createTestAgent(
  folder: string,
  { name, paths, port }: NodeDeclaration,
  progress: Progress[],
  { operationId = "op-abcdefgh", signal, bin = binDirectory }: AgentOptions = {},
): Promise<TestAgent> {
  const state = join(folder, name, "state");
  await mkdir(state, { recursive: true, mode: 0o700 });
  const settings: AgentSettings = {
    node: name,
    coordinator: { url: "wss://127.0.0.1:1/agent", certificateFile: "/x", secretFile: "/x" },
    stateDirectory: state,
    product: "postgresql",
    paths: { ...paths, binDirectory: bin },
    database: { host: "127.0.0.1", port, name: "postgres", user: "postgres" },
    pool: null,
    rootHelper: null,
    start: { mode: "ctl" },
    allow: { paths: [join(folder, name)], programs: [bin], verbs: [...commandKinds] },
    guard: defaultGuard,
    limits: defaultLimits,
  };
  const clock = systemClock;
  const log = createLog("test", "silent");
  const secrets = await createSecrets(state);
  await secrets.set("database", superuserPassword);
  await secrets.set("replication", replicationPassword);
  const databases = createDatabases({
    settings: settings.database,
    secret: (secret) => secrets.get(secret),
    clock,
    log,
    random: () => 0.5,
  });
  const runner = createProgramRunner({ home: folder });
  return {
    settings,
    product: productOf("postgresql"),
    clock,
    log,
    programs: createPrograms(settings.allow.programs, runner),
    files: await createFiles({
      allowedPaths: settings.allow.paths,
      stateDirectory: state,
      mostBytes: defaultLimits.watchedFileBytes,
      clock,
      expect: () => undefined,
    }),
    databases,
    secrets,
    rootHelper: {
      verbs: async () => [],
      run: () => Promise.reject(new Error("no root helper here")),
      open: () => Promise.reject(new Error("no root helper here")),
    },
    ledger: await createLedger(join(state, "ledger")),
    jobs: await createJobs({
      folder: join(state, "jobs"),
      allowedPrograms: settings.allow.programs,
      clock,
      home: folder,
    }),
    observe: () => Promise.reject(new Error("nothing observes here")),
    operationId,
    stepId: "test",
    signal: signal ?? new AbortController().signal,
    progress: (seen) => progress.push(seen),
    [Symbol.asyncDispose]: () => databases[Symbol.asyncDispose](),
  };
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = address !== null && typeof address === "object" ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
