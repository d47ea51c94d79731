import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { serverLogName } from "#agent/steps/server-start.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import type { TestCluster } from "#test/harness/cluster.ts";

/** Looks for a server that takes writes where none may. */
export type PrimaryWatch = AsyncDisposable & {
  /** Answers what was seen, and how often a standby was asked. */
  stop(): Promise<{ readonly seen: readonly string[]; readonly asked: number }>;
};

/**
 * Asks every server but the primary's, all the time and whatever its host's network does, whether it takes writes:
 * by its control file each 50 ms, right from its start, and by SQL over its unix socket. In the end the servers'
 * logs are read, which miss no moment.
 */
export function watchForPrimaries(cluster: TestCluster): PrimaryWatch {
  const end = new AbortController();
  const seen = new Set<string>();
  let asked = 0;
  const others = [
    ...cluster.nodes.slice(1),
    ...(cluster.newNode === null ? [] : [cluster.newNode]),
  ];
  const watch = async (node: ClusterNode): Promise<void> => {
    for (let round = 0; !end.signal.aborted; round += 1) {
      const accepts = statusOf(node) === "ready";
      if (accepts && isInProduction(node)) seen.add(`${node.name}: its control file says so`);
      if (accepts && round % 5 === 0) {
        const answer = await isInRecovery(cluster, node);
        if (answer !== null) asked += 1;
        if (answer === false) seen.add(`${node.name}: pg_is_in_recovery() is false`);
      }
      await sleep(50, undefined, { signal: end.signal }).catch(() => undefined);
    }
  };
  const watches = others.map(watch);
  const finish = async (): Promise<void> => {
    end.abort();
    await Promise.all(watches);
  };
  return {
    [Symbol.asyncDispose]: finish,
    stop: async () => {
      await finish();
      for (const node of others) {
        if (hasOpened(node)) seen.add(`${node.name}: its log says that it opened for writes`);
      }
      return { seen: [...seen], asked };
    },
  };
}

/**
 * Last line of postmaster.pid: starting, ready (a primary, or a hot standby that takes connections), standby,
 * stopping (PostgreSQL source, pidfile.h).
 */
function statusOf({ host, paths }: ClusterNode): string | null {
  try {
    return (
      readFileSync(host.path(`${paths.dataDir}/postmaster.pid`), "utf8")
        .split("\n")[7]
        ?.trim() ?? null
    );
  } catch {
    return null;
  }
}

/**
 * The state stands behind system identifier, control version and catalog version; 6 is DB_IN_PRODUCTION
 * (PostgreSQL source, pg_control.h). Only a server that runs means itself: a fresh copy has its source's.
 */
function isInProduction({ host, paths }: ClusterNode): boolean {
  try {
    return readFileSync(host.path(`${paths.dataDir}/global/pg_control`)).readInt32LE(16) === 6;
  } catch {
    return false;
  }
}

async function isInRecovery(
  cluster: TestCluster,
  { host, paths, port }: ClusterNode,
): Promise<boolean | null> {
  let client: pg.Client | null = null;
  try {
    client = new pg.Client({
      // A unix socket knows nothing of network namespaces: no cut link hides a server.
      host: host.path(paths.socketDir),
      port,
      user: cluster.lane.superuser,
      password: cluster.passwords.superuser,
      database: cluster.lane.database,
      connectionTimeoutMillis: 2_000,
      query_timeout: 2_000,
    });
    client.on("error", () => undefined);
    await client.connect();
    const { rows } = await client.query<{ standby: boolean }>(
      "SELECT pg_is_in_recovery() AS standby",
    );
    return rows[0]?.standby ?? null;
  } catch {
    return null;
  } finally {
    await client?.end().catch(() => undefined);
  }
}

function hasOpened({ host, paths }: ClusterNode): boolean {
  return [paths.logFile, `${paths.dataDir}/${serverLogName}`]
    .filter((file) => host.exists(file))
    .some((file) =>
      readFileSync(host.path(file), "utf8").includes(
        "database system is ready to accept connections",
      ),
    );
}
