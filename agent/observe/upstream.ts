import type { DatabaseFacts, FileFacts } from "#shared/domain/facts.ts";
import { lsnDistance } from "#shared/domain/lsn.ts";
import { asFailure } from "#shared/errors.ts";
import { configuredUpstream, type Upstream } from "../decide/configured-upstream.ts";
import type { Ports } from "../ports.ts";
import { flagOf, textOf } from "./row-values.ts";

type UpstreamPorts = Pick<Ports, "settings" | "product" | "clock" | "databases">;

export type UpstreamObserver = {
  /**
   * Why this standby receives nothing, as its upstream says; null while it streams, and before that could be asked.
   * Never waits: the question goes on beside the looks.
   */
  problem(database: DatabaseFacts, files: readonly FileFacts[]): string | null;
};

/** One session on the upstream so often, and only while nothing comes from it. */
const everyMs = 30_000;
/** A receiver that is restarting is no reason to ask. */
const patienceMs = 4_000;
const connectMs = 3_000;

export function createUpstreamObserver(ports: UpstreamPorts): UpstreamObserver {
  const { clock } = ports;
  let silentSince: number | null = null;
  let askedAt = Number.NEGATIVE_INFINITY;
  let answer: string | null = null;

  return {
    problem: (database, files) => {
      const isSilent =
        database.status === "running" &&
        database.role === "standby" &&
        database.receiver?.status !== "streaming";
      if (!isSilent) {
        silentSince = null;
        askedAt = Number.NEGATIVE_INFINITY;
        answer = null;
        return null;
      }
      const now = clock.elapsedMs();
      silentSince ??= now;
      if (now - silentSince >= patienceMs && now - askedAt >= everyMs) {
        askedAt = now;
        const about = silentSince;
        void ask(ports, configuredUpstream(database, files), database.position).then((found) => {
          // It may stream again meanwhile.
          if (silentSince === about) answer = found;
        });
      }
      return answer;
    },
  };
}

async function ask(
  { settings, product, databases }: UpstreamPorts,
  upstream: Upstream | null,
  position: string | null,
): Promise<string> {
  if (upstream === null) return "its configuration names no upstream (primary_conninfo)";
  const { host, port, slot } = upstream;
  const where = `${host}:${port}`;
  try {
    const { name: database, user } = settings.database;
    await using session = await databases.connect(
      { host, port, user, database, replication: false, secret: "database" },
      { timeoutMs: connectMs },
    );
    const dialect = product.dialect(session.versionNumber);
    const [recovery] = await session.query(dialect.isInRecovery);
    const role = recovery !== undefined && flagOf(recovery, "standby") ? "a standby" : "a primary";
    if (slot === null) return `${where} answers and is ${role}; no slot is configured here`;
    const rows = await session.query(dialect.slots);
    const found = rows.find((row) => textOf(row, "name") === slot);
    if (found === undefined) {
      return `${where} is ${role} and has no slot ${slot}: it was dropped there, or never made (castellan slot list)`;
    }
    if (flagOf(found, "active")) return `slot ${slot} on ${where} is in use by another receiver`;
    const begins = textOf(found, "restart_lsn");
    if (textOf(found, "wal_status") === "lost" || (lsnDistance(position, begins) ?? 0) > 0) {
      return `slot ${slot} on ${where} no longer holds the WAL that this node needs: it has ${begins ?? "none"}, wanted is ${position ?? "?"}`;
    }
    return `${where} is ${role} and has slot ${slot}, which nobody uses: the reason stands in the server's log here`;
  } catch (error) {
    return `${where} could not be asked: ${asFailure(error).message}`;
  }
}
