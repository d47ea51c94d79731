import type { Latency, LoadStats } from "./messages.ts";

type Sample = { readonly atMs: number; readonly ms: number };
type Failure = { readonly atMs: number; readonly client: string; readonly message: string };

/** A day's worth of the busiest demo; older samples go first. */
const maxSamples = 2_000_000;

/** Collects what the clients of one load see. */
export class Tally {
  readonly #statements: Sample[] = [];
  readonly #fresh: Sample[] = [];
  readonly #reads: { readonly atMs: number; readonly server: string }[] = [];
  readonly #failures: Failure[] = [];
  readonly #freshFailures: number[] = [];
  readonly #losses: { readonly atMs: number; readonly client: string }[] = [];
  readonly #reconnects: Sample[] = [];
  readonly #acknowledged: [number, number][] = [];
  /** Start times of what waits for its answer. */
  readonly #pending = new Set<{
    readonly startedAt: number;
    readonly kind: "statement" | "fresh";
  }>();

  /** Times one statement or fresh connection; what is thrown counts as a client's error and is passed on. */
  async timed<T>(client: string, kind: "statement" | "fresh", work: () => Promise<T>): Promise<T> {
    const entry = { startedAt: Date.now(), kind };
    const started = performance.now();
    this.#pending.add(entry);
    try {
      const value = await work();
      const samples = kind === "statement" ? this.#statements : this.#fresh;
      push(samples, { atMs: Date.now(), ms: performance.now() - started });
      return value;
    } catch (error) {
      this.failed(client, error);
      if (kind === "fresh") this.#freshFailures.push(Date.now());
      throw error;
    } finally {
      this.#pending.delete(entry);
    }
  }

  failed(client: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    push(this.#failures, { atMs: Date.now(), client, message });
  }

  answeredBy(server: string): void {
    push(this.#reads, { atMs: Date.now(), server });
  }

  sessionLost(client: string): void {
    this.#losses.push({ atMs: Date.now(), client });
  }

  reconnected(ms: number): void {
    this.#reconnects.push({ atMs: Date.now(), ms });
  }

  acknowledged(key: number): void {
    const run = this.#acknowledged.find(([, last]) => last === key - 1);
    if (run === undefined) this.#acknowledged.push([key, key]);
    else run[1] = key;
  }

  since(sinceMs: number): LoadStats {
    const after = <T extends { readonly atMs: number }>(all: readonly T[]): T[] =>
      all.filter(({ atMs }) => atMs >= sinceMs);
    const reads: Record<string, number> = {};
    for (const { server } of after(this.#reads)) reads[server] = (reads[server] ?? 0) + 1;
    const statements = after(this.#statements);
    const failures = after(this.#failures);
    const losses = after(this.#losses);
    const perSession = new Map<string, number>();
    for (const { client } of losses) perSession.set(client, (perSession.get(client) ?? 0) + 1);
    return {
      statements: statements.length,
      latency: latency(statements, this.#waiting("statement")),
      clientErrors: failures.length,
      sessionsLost: losses.length,
      lossesOfOneSession: Math.max(0, ...perSession.values()),
      longestReconnectMs: Math.max(0, ...after(this.#reconnects).map(({ ms }) => ms)),
      freshConnections: after(this.#fresh).length,
      freshFailed: this.#freshFailures.filter((atMs) => atMs >= sinceMs).length,
      freshLatency: latency(after(this.#fresh), this.#waiting("fresh")),
      readsByServer: reads,
      acknowledged: this.#acknowledged.map(([first, last]) => [first, last]),
      acknowledgedCount: this.#acknowledged.reduce((n, [first, last]) => n + last - first + 1, 0),
      errors: failures.slice(-20),
    };
  }

  #waiting(kind: "statement" | "fresh"): number {
    const now = Date.now();
    return [...this.#pending]
      .filter((entry) => entry.kind === kind)
      .reduce((longest, { startedAt }) => Math.max(longest, now - startedAt), 0);
  }
}

function push<T>(all: T[], item: T): void {
  all.push(item);
  if (all.length > maxSamples) all.splice(0, maxSamples / 10);
}

function latency(samples: readonly Sample[], waitingMs: number): Latency {
  const sorted = samples.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (share: number): number =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return {
    count: sorted.length,
    p50Ms: at(0.5),
    p95Ms: at(0.95),
    p99Ms: at(0.99),
    maxMs: round(Math.max(sorted.at(-1) ?? 0, waitingMs)),
  };
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
