import type { SecretName } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import type { Secret } from "#shared/secret.ts";
import { backoffMs, type Clock } from "#shared/time.ts";
import type { Databases, Session } from "../ports.ts";
import type { AgentSettings } from "../settings.ts";
import { databaseFailure } from "./database-failure.ts";
import { openSession, type SessionTarget } from "./database-session.ts";
import { firstValue } from "./first-value.ts";

export type DatabasesOptions = {
  readonly settings: AgentSettings["database"];
  readonly secret: (name: SecretName) => Promise<Secret | null>;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: () => number;
};

/** An edge: it only wakes the observers, who look for themselves. */
export type ConnectionEdge = "own-database-lost" | "own-database-connected";

export type DatabasesWithEdges = Databases &
  AsyncDisposable & { onEdge(listener: (edge: ConnectionEdge) => void): void };

const limits = { connectMs: 5_000, ownQueryMs: 60_000, ownStatementMs: 30_000, queryMs: 600_000 };
const backoff = { firstMs: 100, mostMs: 2_000 };

/**
 * SQL on this host and logins to others. `own` has one long-lived connection:
 *  closed      - none; entered at the start and when the server goes away; left by a query or the backoff's end
 *  connecting  - one attempt under way, shared by all who wait
 *  open        - queries run one at a time, in order (the driver's queue)
 */
export function createDatabases(options: DatabasesOptions): DatabasesWithEdges {
  const { settings, clock, log } = options;
  const listeners: ((edge: ConnectionEdge) => void)[] = [];
  const closing = new AbortController();
  let open: Session | null = null;
  let connecting: Promise<Session> | null = null;
  let isRetrying = false;
  let lastProblem: string | null = null;

  const emit = (edge: ConnectionEdge): void => {
    for (const listener of listeners) listener(edge);
  };

  const ownTarget = async (database: string): Promise<SessionTarget> => ({
    ...settings,
    database,
    replication: false,
    password: await options.secret("database"),
    secret: "database",
    inClear: true,
    connectTimeoutMs: limits.connectMs,
    queryTimeoutMs: limits.queryMs,
    statementTimeoutMs: null,
  });

  const lost = (reason: string): void => {
    open = null;
    log.info({ reason }, "The connection to this host's database ended.");
    emit("own-database-lost");
    retryInBackground();
  };

  const connectOnce = async (): Promise<Session> => {
    try {
      const session = await openSession(
        {
          ...(await ownTarget(settings.name)),
          queryTimeoutMs: limits.ownQueryMs,
          statementTimeoutMs: limits.ownStatementMs,
        },
        lost,
      );
      if (closing.signal.aborted) {
        await session[Symbol.asyncDispose]();
        throw closed();
      }
      open = session;
      lastProblem = null;
      log.info({ serverVersion: session.versionNumber }, "Connected to this host's database.");
      emit("own-database-connected");
      return session;
    } catch (error) {
      const failure = databaseFailure(`${settings.host}:${settings.port}`, error, "database");
      // Said once per reason: a database that stays down is told by its facts, not by the log.
      if (failure.message !== lastProblem && !closing.signal.aborted) {
        log.warn({ problem: failure.message }, "No connection to this host's database.");
      }
      lastProblem = failure.message;
      throw failure;
    } finally {
      connecting = null;
    }
  };

  const ensureOpen = (): Promise<Session> => {
    if (open !== null) return Promise.resolve(open);
    if (closing.signal.aborted) return Promise.reject(closed());
    connecting ??= connectOnce();
    return connecting;
  };

  const retryInBackground = (): void => {
    if (isRetrying || closing.signal.aborted) return;
    isRetrying = true;
    const retry = async (): Promise<void> => {
      for (let attempt = 0; open === null; attempt += 1) {
        await clock.sleep(backoffMs(backoff, attempt, options.random()), closing.signal);
        await ensureOpen().catch(() => undefined); // logged where it happened
      }
    };
    void retry()
      .catch(() => undefined) // only the sleep rejects, when we are closing
      .finally(() => {
        isRetrying = false;
        // The connection may have gone again between the last look and here.
        if (open === null) retryInBackground();
      });
  };

  return {
    own: {
      query: async (sql, parameters) => {
        const session = await ensureOpen().catch((error: unknown) => {
          retryInBackground();
          throw error;
        });
        return session.query(sql, parameters);
      },
      get versionNumber() {
        return open?.versionNumber ?? null;
      },
    },
    connect: async (login, { timeoutMs, queryTimeoutMs = limits.queryMs, isPatient } = {}) =>
      openSession({
        ...login,
        password: await options.secret(login.secret),
        inClear: false,
        connectTimeoutMs: timeoutMs ?? limits.connectMs,
        queryTimeoutMs: isPatient === true ? null : queryTimeoutMs,
        statementTimeoutMs: null,
      }),
    connectOwn: async (database, { isPatient } = {}) => {
      const target = await ownTarget(database);
      return openSession(isPatient === true ? { ...target, queryTimeoutMs: null } : target);
    },
    onEdge: (listener) => {
      listeners.push(listener);
    },
    firstValue: async (sql, limitMs, signal) =>
      firstValue(await ownTarget(settings.name), sql, limitMs, signal),
    [Symbol.asyncDispose]: async () => {
      closing.abort(closed());
      await connecting?.catch(() => undefined);
      await open?.[Symbol.asyncDispose]();
      open = null;
    },
  };
}

function closed(): Failure {
  return new Failure("INTERRUPTED", "the agent is stopping", { retryable: true });
}
