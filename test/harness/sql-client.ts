import pg from "pg";
import type { Lab } from "./lab.ts";

export type Login = {
  readonly address: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
};

/** A connected client of a server or pool inside a lab. End it with `.end()`. */
export async function openClient(lab: Lab, login: Login): Promise<pg.Client> {
  const socket = await lab.connect(login.address, login.port);
  const client = new pg.Client({
    user: login.user,
    password: login.password,
    database: login.database,
    connectionTimeoutMillis: 10_000,
    stream: () => {
      // pg connects the stream that it is given; this one is connected already.
      queueMicrotask(() => socket.emit("connect"));
      return Object.assign(socket, { connect: () => socket });
    },
  });
  // A server that goes away must fail the query at hand, not the test process.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

export type Row = Readonly<Record<string, unknown>>;

/** One statement on a connection of its own. */
export async function queryOnce(
  lab: Lab,
  login: Login,
  sql: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = await openClient(lab, login);
  try {
    const result = await client.query<Record<string, unknown>>(sql, [...values]);
    return result.rows;
  } finally {
    await client.end();
  }
}
