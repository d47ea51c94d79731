import { appendFile, chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { clientBin } from "#test/harness/postgres.ts";
import { findUser, type OsUser } from "#test/harness/users.ts";

/** A real PostgreSQL 15 on loopback in a folder of its own, as `postgres` where the tests run as root. */
export type PostgresServer = AsyncDisposable & {
  readonly folder: string;
  readonly dataDirectory: string;
  readonly port: number;
  readonly user: OsUser | null;
  readonly superuser: string;
  /** Of the superuser; the hba file asks for it. */
  readonly password: string;
  start(): Promise<void>;
  stop(mode: "fast" | "immediate"): Promise<void>;
  sql(statement: string): Promise<string>;
  logFile: string;
};

export async function startPostgres(): Promise<PostgresServer> {
  const user = process.getuid?.() === 0 ? findUser("postgres") : null;
  const folder = await mkdtemp(join(tmpdir(), "castellan-postgres-"));
  const dataDirectory = join(folder, "data");
  const password = "pass:word\\1";
  const port = await freePort();
  await mkdir(dataDirectory, { mode: 0o700 });
  const passwordFile = join(folder, "initdb-password");
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  for (const path of [folder, dataDirectory, passwordFile]) {
    if (user !== null) await chown(path, user.uid, user.gid);
  }
  const as = (argv: readonly string[]): string[] =>
    user === null
      ? [...argv]
      : ["setpriv", "--reuid", user.name, "--regid", String(user.gid), "--init-groups", ...argv];
  const run = async (argv: readonly string[]): Promise<string> => {
    const [program = "", ...args] = as(argv);
    const env = { PGPASSWORD: password };
    return (await execa(program, args, { cwd: folder, env, stdin: "ignore" })).stdout;
  };
  const superuser = "castellan_admin";
  const cluster = ["-D", dataDirectory, "-U", superuser, "--pwfile", passwordFile];
  const habits = ["-A", "scram-sha-256", "--no-sync", "--locale", "C.UTF-8"];
  await run([`${clientBin}/initdb`, ...cluster, ...habits]);
  await appendFile(
    join(dataDirectory, "postgresql.conf"),
    [
      `port = ${port}`,
      "listen_addresses = '127.0.0.1'",
      `unix_socket_directories = '${folder}'`,
      "fsync = off",
      "wal_level = replica",
      "",
    ].join("\n"),
  );
  const control = (...args: string[]) =>
    run([`${clientBin}/pg_ctl`, "-D", dataDirectory, "-w", ...args]);
  const place = ["-h", "127.0.0.1", "-p", String(port), "-U", superuser, "-d", "postgres"];
  const plain = ["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1"];
  const logFile = join(folder, "server.log");
  const server: PostgresServer = {
    folder,
    dataDirectory,
    port,
    user,
    superuser,
    password,
    logFile,
    start: async () => {
      await control("-l", logFile, "start");
    },
    stop: async (mode) => {
      await control("-m", mode, "stop");
    },
    sql: (statement) => run([`${clientBin}/psql`, ...place, ...plain, "-c", statement]),
    [Symbol.asyncDispose]: async () => {
      await control("-m", "immediate", "stop").catch(
        () => undefined, // a test may have stopped it
      );
      await rm(folder, { recursive: true });
    },
  };
  await server.start();
  return server;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
