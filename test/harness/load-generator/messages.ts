import * as z from "zod";

/** First line on standard input; the password never stands in an argument list. */
export const LoadSettings = z.strictObject({
  /** Long sessions are dealt out over these in turn. */
  endpoints: z.array(z.strictObject({ host: z.string(), port: z.int() })).min(1),
  user: z.string(),
  password: z.string(),
  database: z.string(),
  /** Long sessions that read. */
  readers: z.int().nonnegative(),
  /** Writers write ever-increasing keys into `ledger`, each from a range of its own. */
  writers: z.int().nonnegative(),
  /** A long session sends its next statement this long after the last one, or at once when that took longer. */
  statementIntervalMs: z.number().positive(),
  /** A fresh connection with one statement, this often; 0 for none. */
  freshIntervalMs: z.number().nonnegative(),
  /** First key that is written. */
  firstKey: z.int(),
});
export type LoadSettings = z.infer<typeof LoadSettings>;

/** Further lines on standard input. */
export const LoadCommand = z.discriminatedUnion("command", [
  z.strictObject({ command: z.literal("stats"), sinceMs: z.number() }),
  z.strictObject({ command: z.literal("stop"), sinceMs: z.number() }),
]);

const Latency = z.object({
  count: z.int(),
  p50Ms: z.number(),
  p95Ms: z.number(),
  p99Ms: z.number(),
  /** The longest, statements that still wait for their answer included. */
  maxMs: z.number(),
});
export type Latency = z.infer<typeof Latency>;

/** What clients have seen since a moment: they never send anything twice. */
export const LoadStats = z.object({
  /** Answered statements of long sessions, writers included. */
  statements: z.int(),
  latency: Latency,
  /** Statements and connections that failed, of every kind of client. */
  clientErrors: z.int(),
  /** Long sessions that ended without our doing; each is opened again once, its statement is not repeated. */
  sessionsLost: z.int(),
  /** How often the unluckiest long session was lost. */
  lossesOfOneSession: z.int(),
  /** From the loss of a session to the first answer on its successor, at most. */
  longestReconnectMs: z.number(),
  freshConnections: z.int(),
  freshFailed: z.int(),
  freshLatency: Latency,
  /** How many reads each backend answered, by the address that it gave. */
  readsByServer: z.record(z.string(), z.int()),
  /** Keys whose insert was acknowledged, as [first, last] of unbroken runs: all of them since the start. */
  acknowledged: z.array(z.tuple([z.int(), z.int()])),
  acknowledgedCount: z.int(),
  /** The last few, with the time. */
  errors: z.array(z.object({ atMs: z.number(), client: z.string(), message: z.string() })),
});
export type LoadStats = z.infer<typeof LoadStats>;
