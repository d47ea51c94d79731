import pg from "pg";
import type { SecretName } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { Secret } from "#shared/secret.ts";
import type { Row, Session } from "../ports.ts";
import { databaseFailure } from "./database-failure.ts";

export type SessionTarget = {
  /** Address, or a directory with the server's unix socket. */
  readonly host: string;
  readonly port: number;
  /** Passed as they are: KingbaseES knows its users and databases in upper case. */
  readonly user: string;
  readonly database: string;
  readonly replication: boolean;
  readonly password: Secret | null;
  /** Its name in this host's store. */
  readonly secret: SecretName;
  /** A server may ask for it in clear: only where this host's own settings name the address. */
  readonly inClear: boolean;
  readonly connectTimeoutMs: number;
  /** null: no limit but the connection's own life. */
  readonly queryTimeoutMs: number | null;
  /** Enforced by the server; null where a long answer is expected. */
  readonly statementTimeoutMs: number | null;
};

/** Called once when an established connection ends without our asking. */
export type OnLost = (reason: string) => void;

/** @throws Failure DATABASE_UNREACHABLE, AUTHENTICATION_FAILED, NOT_FOUND (no such database) */
export async function openSession(target: SessionTarget, onLost?: OnLost): Promise<Session> {
  const where = `${target.user}@${target.host}:${target.port}/${
    target.replication ? "replication" : target.database
  }`;
  const client = createClient(target);
  let isOpen = false;
  const ended = (reason: string): void => {
    if (!isOpen) return;
    isOpen = false;
    onLost?.(reason);
  };
  // Without a listener the loss of an idle connection would end the process.
  client.on("error", (error) => ended(error.message));
  client.on("end", () => ended("the server closed the connection"));
  const query = async (sql: string, parameters: readonly unknown[] = []): Promise<Row[]> => {
    try {
      // The simple protocol where nothing is bound: a walsender knows no other.
      const result =
        parameters.length === 0
          ? await client.query<Row>(sql)
          : await client.query<Row>(sql, [...parameters]);
      const isLowerCase = result.fields.every(({ name }) => name === name.toLowerCase());
      return isLowerCase ? result.rows : result.rows.map(withLowerCaseNames);
    } catch (error) {
      const failure = databaseFailure(where, error, target.secret);
      // The server said farewell: the socket's own end follows later, no query must come in between.
      if (failure.code === "DATABASE_UNREACHABLE" && isOpen) {
        ended(failure.message);
        void closeClient(client);
      }
      throw failure;
    }
  };
  try {
    await client.connect();
    const versionNumber = await askVersion(query, target.replication);
    isOpen = true;
    return {
      query,
      versionNumber,
      [Symbol.asyncDispose]: async () => {
        isOpen = false;
        await closeClient(client);
      },
    };
  } catch (error) {
    await closeClient(client);
    throw databaseFailure(where, error, target.secret);
  }
}

export function createClient(target: SessionTarget): pg.Client {
  const client = new pg.Client({
    host: target.host,
    port: target.port,
    user: target.user,
    database: target.database,
    ssl: false,
    application_name: "castellan-agent",
    keepAlive: true,
    connectionTimeoutMillis: target.connectTimeoutMs,
    keepAliveInitialDelayMillis: 10_000,
    ...(target.queryTimeoutMs === null ? {} : { query_timeout: target.queryTimeoutMs }),
    ...(target.password === null ? {} : { password: target.password.reveal() }),
    // A walsender takes no statement_timeout of a user's choice into account; nothing is lost.
    ...(target.statementTimeoutMs === null || target.replication
      ? {}
      : { statement_timeout: target.statementTimeoutMs }),
    ...(target.replication ? { replication: "true" } : {}),
  });
  if (!target.inClear) {
    // Heard before the driver's own answer, which then goes nowhere.
    client.connection.on("authenticationCleartextPassword", () => {
      const { host, port } = target;
      client.connection.stream.destroy(
        new Failure(
          "AUTHENTICATION_FAILED",
          `${host}:${port} asks for the password in clear, and is not told it`,
          {
            hint: "Let that server's hba file (a pool's: pool_hba.conf) ask by scram-sha-256 or md5.",
          },
        ),
      );
    });
  }
  return client;
}

/** A server that is there answers a farewell at once; one that vanished never will, and TCP says so only after minutes. */
const farewellMs = 1_000;

export async function closeClient(client: pg.Client): Promise<void> {
  const hurry = setTimeout(() => client.connection.stream.destroy(), farewellMs);
  await client.end().catch(() => undefined); // it may be gone already
  clearTimeout(hurry);
}

async function askVersion(
  query: (sql: string) => Promise<readonly Row[]>,
  replication: boolean,
): Promise<number> {
  try {
    const [row] = await query("SHOW server_version_num");
    return Number(row?.["server_version_num"]);
  } catch (error) {
    // PostgreSQL docs: SHOW on a replication connection came with version 10.
    if (replication) return 90_600;
    throw error;
  }
}

function withLowerCaseNames(row: Row): Row {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
