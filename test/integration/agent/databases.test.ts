import { connect, createServer, type AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createDatabases, type ConnectionEdge } from "#agent/adapters/databases.ts";
import { asFailure, type Failure } from "#shared/errors.ts";
import { createLog } from "#shared/log.ts";
import { Secret } from "#shared/secret.ts";
import { systemClock } from "#shared/time.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { startPostgres, type PostgresServer } from "./postgres-server.ts";

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server[Symbol.asyncDispose]());

function open(password: string | null = server.password, name = "postgres") {
  return createDatabases({
    settings: { host: "127.0.0.1", port: server.port, name, user: server.superuser },
    secret: async () => (password === null ? null : new Secret(password)),
    clock: systemClock,
    log: createLog("test", "silent"),
    random: Math.random,
  });
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  return work.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: unknown) => asFailure(error),
  );
}

function login(replication: boolean, user = server.superuser) {
  return {
    host: "127.0.0.1",
    port: server.port,
    user,
    database: "postgres",
    replication,
    secret: "database" as const,
  };
}

test("own SQL goes over one connection named castellan-agent, with lower-case column names", async () => {
  await using databases = open();
  const ask = `SELECT 1 AS "ONE", current_setting('statement_timeout') AS "Limit"`;
  const answers = await Promise.all([databases.own.query(ask), databases.own.query(ask)]);
  expect(answers[1]).toEqual([{ one: 1, limit: "30s" }]);
  const seen = await databases.own.query(
    "SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1",
    ["castellan-agent"],
  );
  expect(seen).toEqual([{ n: 1 }]);
  expect(databases.own.versionNumber).toBeGreaterThan(150_000);
});

test("a replication login identifies the system, and an ordinary one runs SQL", async () => {
  await using databases = open();
  await using walsender = await databases.connect(login(true));
  const [system] = await walsender.query("IDENTIFY_SYSTEM");
  expect(system?.["systemid"]).toMatch(/^\d+$/);
  expect(walsender.versionNumber).toBeGreaterThan(150_000);
  await using other = await databases.connectOwn("template1");
  expect(await other.query("SELECT current_database()::text AS name")).toEqual([
    { name: "template1" },
  ]);
});

test("failures carry the SQLSTATE, and say whether trying again may help", async () => {
  await using databases = open("wrong");
  const wrongPassword = await failureOf(databases.connect(login(false)));
  expect(wrongPassword).toMatchObject({ code: "AUTHENTICATION_FAILED", retryable: false });
  expect(wrongPassword.message).toContain("SQLSTATE 28P01");
  expect(JSON.stringify(wrongPassword)).not.toContain("wrong");

  await using good = open();
  const syntax = await failureOf(good.own.query("SELEC 1"));
  expect(syntax).toMatchObject({ code: "PROGRAM_FAILED" });
  expect(syntax.message).toContain("SQLSTATE 42601");

  await using missing = open(server.password, "no_such_database");
  expect(await failureOf(missing.own.query("SELECT 1"))).toMatchObject({ code: "NOT_FOUND" });

  const closed = await failureOf(good.connect({ ...login(false), port: 1 }));
  expect(closed).toMatchObject({ code: "DATABASE_UNREACHABLE", retryable: true });
});

test("a server that asks for a password where there is none is an authentication failure", async () => {
  await using databases = open(null);
  const refused = await failureOf(databases.own.query("SELECT 1"));
  expect(refused).toMatchObject({ code: "AUTHENTICATION_FAILED" });
});

test("a dying server is an edge at once, and the connection comes back by itself", async () => {
  await using databases = open();
  const edges: ConnectionEdge[] = [];
  databases.onEdge((edge) => edges.push(edge));
  await databases.own.query("SELECT 1");
  expect(edges).toEqual(["own-database-connected"]);
  await server.stop("immediate");
  await waitFor(() => edges.includes("own-database-lost"), { timeoutMs: 1_000 });
  const down = await failureOf(databases.own.query("SELECT 1"));
  expect(down).toMatchObject({ code: "DATABASE_UNREACHABLE", retryable: true });
  expect(databases.own.versionNumber).toBeNull();
  await server.start();
  await waitFor(() => edges.length === 3, { what: "the connection's return" });
  expect(await databases.own.query("SELECT 2 AS two")).toEqual([{ two: 2 }]);
});

test("a query whose backend is terminated fails as unreachable, and the next one works", async () => {
  await using databases = open();
  const sleeping = failureOf(databases.own.query("SELECT pg_sleep(20)"));
  await waitFor(
    async () =>
      (await server.sql(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'",
      )) === "1",
  );
  await server.sql(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'",
  );
  expect(await sleeping).toMatchObject({ code: "DATABASE_UNREACHABLE", retryable: true });
  expect(await databases.own.query("SELECT 3 AS three")).toEqual([{ three: 3 }]);
});

test("a session whose server vanished without a word is closed all the same", async () => {
  let isSilent = false;
  const path = createServer({ allowHalfOpen: true }, (inner) => {
    const outer = connect(server.port, "127.0.0.1");
    inner.on("data", (chunk) => isSilent || outer.write(chunk));
    outer.on("data", (chunk) => isSilent || inner.write(chunk));
    for (const end of [inner, outer]) end.on("error", () => undefined);
    onTestFinished(() => {
      inner.destroy();
      outer.destroy();
    });
  });
  await new Promise<void>((resolve) => path.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void path.close());
  const { port } = path.address() as AddressInfo; // a TCP server that listens
  await using databases = open();
  const session = await databases.connect({ ...login(false), port });
  isSilent = true;
  await session[Symbol.asyncDispose]();
});

test("whoever answers at another address is told no password in clear", async () => {
  const heard: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      heard.push(data);
      // AuthenticationCleartextPassword
      if (heard.length === 1) socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const address: string | AddressInfo | null = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const databases = open("s3cret");
  await expect(
    databases.connect(
      {
        host: "127.0.0.1",
        port,
        user: "system",
        database: "test",
        replication: false,
        secret: "database",
      },
      { timeoutMs: 2_000 },
    ),
  ).rejects.toMatchObject({
    code: "AUTHENTICATION_FAILED",
    message: expect.stringContaining("in clear"),
  });
  expect(Buffer.concat(heard).toString("latin1")).not.toContain("s3cret");
});
