import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import type { LoadSettings } from "./messages.ts";
import type { Tally } from "./tally.ts";

/** A user table makes pgpool send the statement to the session's load-balance node. */
const readStatement = "SELECT id, host(inet_server_addr()) AS server FROM ledger WHERE id = -1";

/** Keeps one long session busy until told to stop. A lost session is opened anew; its statement is not sent again. */
export async function keepSession(
  settings: LoadSettings,
  index: number,
  kind: "reader" | "writer",
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const name = `${kind}${index}`;
  // Ranges of a billion keys: writers never meet.
  let key = settings.firstKey + (kind === "writer" ? index * 1_000_000_000 : 0);
  let lostAt: number | null = null;
  while (!signal.aborted) {
    let client: pg.Client | null = null;
    try {
      client = await connect(settings, index);
      while (!signal.aborted) {
        const started = performance.now();
        try {
          await oneStatement(client, kind, key, name, tally);
        } catch (error) {
          // A plain error message leaves the session alive; a FATAL one or a broken connection does not.
          if (!(error instanceof pg.DatabaseError && error.severity === "ERROR")) throw error;
        }
        if (kind === "writer") key += 1;
        if (lostAt !== null) tally.reconnected(performance.now() - lostAt);
        lostAt = null;
        await pause(settings.statementIntervalMs - (performance.now() - started), signal);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (kind === "writer") key += 1;
      // A connection that could not be opened was not counted by a statement.
      if (client === null) tally.failed(name, error);
      else if (lostAt === null) {
        tally.sessionLost(name);
        lostAt = performance.now();
      }
      await pause(client === null ? 50 : 0, signal);
    } finally {
      await end(client);
    }
  }
}

/** Opens a connection, asks one thing and closes it, over and over. */
export async function keepConnecting(
  settings: LoadSettings,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const running = new Set<Promise<void>>();
  for (let index = 0; !signal.aborted; index += 1) {
    const one = freshConnection(settings, index, tally, signal).finally(() => running.delete(one));
    running.add(one);
    await pause(settings.freshIntervalMs, signal);
  }
  await Promise.all(running);
}

async function freshConnection(
  settings: LoadSettings,
  index: number,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  let client: pg.Client | null = null;
  try {
    await tally.timed("fresh", "fresh", async () => {
      client = await connect(settings, index);
      await read(client, tally);
    });
  } catch {
    // Counted by the tally; nothing is tried again.
    if (signal.aborted) return;
  } finally {
    await end(client);
  }
}

function oneStatement(
  client: pg.Client,
  kind: "reader" | "writer",
  key: number,
  name: string,
  tally: Tally,
): Promise<void> {
  return tally.timed(name, "statement", async () => {
    if (kind === "reader") return read(client, tally);
    await client.query("INSERT INTO ledger (id, note) VALUES ($1, 'load')", [key]);
    tally.acknowledged(key);
  });
}

async function read(client: pg.Client, tally: Tally): Promise<void> {
  const { rows } = await client.query<{ server: string }>(readStatement);
  tally.answeredBy(rows[0]?.server ?? "no row");
}

async function connect(settings: LoadSettings, index: number): Promise<pg.Client> {
  const endpoint = settings.endpoints[index % settings.endpoints.length];
  const { user, password, database } = settings;
  const client = new pg.Client({
    ...endpoint,
    user,
    password,
    database,
    application_name: "load",
    connectionTimeoutMillis: 15_000,
  });
  // A connection that ends between two statements fails the next one, not the program.
  client.on("error", () => undefined);
  await client.connect();
  return client;
}

/** A connection that is broken already has nothing to say goodbye to. */
async function end(client: pg.Client | null): Promise<void> {
  if (client === null) return;
  await Promise.race([client.end().catch(() => undefined), sleep(1000, undefined, { ref: false })]);
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => undefined);
}
