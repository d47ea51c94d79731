import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";
import type { Progress, Upstream } from "#shared/domain/commands.ts";
import { becomeDatabaseUser } from "./become-user.ts";
import { createTestAgent, type TestAgent, type TestAgentInput } from "./test-agent.ts";

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
type AgentOptions = Partial<Pick<TestAgentInput, "operationId" | "signal" | "allowedPaths">>;

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
    agent: (name, agentOptions) => {
      const { paths, port } = name === "n1" ? n1 : n2;
      return createTestAgent({
        product: "postgresql",
        node: name,
        stateDirectory: join(folder, name, "state"),
        allowedPaths: [join(folder, name)],
        paths,
        database: { host: "127.0.0.1", port, name: "postgres", user: "postgres" },
        secrets: { database: superuserPassword, replication: replicationPassword },
        progress,
        ...agentOptions,
      });
    },
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

/**
 * A port that was free a moment ago, below those that the kernel gives to outgoing connections: one of these could
 * take it before the server that it is for has started.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    if (await canListen(port)) return port;
  }
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
