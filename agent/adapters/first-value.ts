import { databaseFailure } from "./database-failure.ts";
import { closeClient, createClient, type SessionTarget } from "./database-session.ts";

/** Of the server's own limit, before the client gives it up: a server that is there says so itself. */
const marginMs = 1_000;

/** See `Databases.firstValue`. */
export async function firstValue(
  target: SessionTarget,
  sql: string,
  limitMs: number,
  signal: AbortSignal,
): Promise<unknown> {
  signal.throwIfAborted();
  const client = createClient({
    ...target,
    connectTimeoutMs: Math.min(limitMs, target.connectTimeoutMs),
    statementTimeoutMs: limitMs,
    queryTimeoutMs: limitMs + marginMs,
  });
  client.on("error", () => undefined); // told by the query that it breaks
  const onAbort = (): void => {
    client.connection.stream.destroy();
  };
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await client.connect();
    await client.query("BEGIN READ ONLY");
    // With a name it is sent as one statement: the server refuses what somebody wrote behind a semicolon.
    await client.query({ name: "check", text: `DECLARE found NO SCROLL CURSOR FOR ${sql}` });
    const { rows } = await client.query<unknown[]>({
      text: "FETCH NEXT FROM found",
      rowMode: "array",
    });
    return rows[0]?.[0];
  } catch (error) {
    signal.throwIfAborted();
    throw databaseFailure(`${target.host}:${target.port}`, error, target.secret);
  } finally {
    signal.removeEventListener("abort", onAbort);
    await closeClient(client);
  }
}
