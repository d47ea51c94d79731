import type { NodeFacts } from "#shared/domain/facts.ts";
import type { Ports } from "../ports.ts";
import { createAgentObserver } from "./agent.ts";
import { createDatabaseObserver } from "./database.ts";
import { createFileObserver, type FileObserver } from "./files.ts";
import { createHostObserver } from "./host.ts";
import { createPoolObserver } from "./pool.ts";
import { createUpstreamObserver } from "./upstream.ts";

/** Everything but the guard's own section. */
export type ObservedFacts = Omit<NodeFacts, "guard">;

type ObserveWant = {
  /** Ask everything anew: before planning, after a command. */
  readonly fresh: boolean;
  /** A watched file changed: settings may have. */
  readonly settings: boolean;
  /** Look at the host too; it is on a schedule of its own. */
  readonly host: boolean;
};

export type Observer = {
  /** Throws at most at the first look; later a section that could not be looked at stays as it was. Unchanged sections are the same objects. */
  observe(want: ObserveWant): Promise<ObservedFacts>;
  readonly files: FileObserver;
  /** Whether the own database says the same of its role and its streams as at the last look; false where it does not answer at once. */
  isAsBefore(): Promise<boolean>;
  hasStalePid(): boolean;
  messageAgeMs(): number | null;
  /** The pool's process died, and nobody has started it again. */
  hasDeadPool(): boolean;
};

export type ObserverPorts = Omit<Ports, "observe" | "guardView" | "jobs">;

export function createObserver(ports: ObserverPorts, startedAt: number): Observer {
  const agent = createAgentObserver(ports, startedAt);
  const database = createDatabaseObserver(ports);
  const pool = createPoolObserver(ports);
  const host = createHostObserver(ports);
  const files = createFileObserver(ports);
  const upstream = createUpstreamObserver(ports);
  let last: ObservedFacts | null = null;

  async function observe(want: ObserveWant): Promise<ObservedFacts> {
    const before = last;
    const fileFacts = await orAsBefore(before?.files, async () => [
      // The watch looks at them between: at every event, and at every poll of its own.
      ...(await files.observe({ now: want.fresh || want.settings })),
    ]);
    const [agentFacts, databaseFacts, poolFacts] = await Promise.all([
      orAsBefore(before?.agent, agent),
      orAsBefore(before?.database, () =>
        database.observe({ ...want, files: fileFacts.map(({ path }) => path) }),
      ),
      orAsBefore(before?.pool, () => pool.observe(want)),
    ]);
    const hostFacts =
      before === null || want.host || want.fresh
        ? await orAsBefore(before?.host, () => host.observe(placesOf(databaseFacts), want.fresh))
        : before.host;
    const seen: ObservedFacts = {
      agent: agentFacts,
      host: hostFacts,
      database: {
        ...databaseFacts,
        upstreamProblem: upstream.problem(databaseFacts, fileFacts),
      },
      pool: poolFacts,
      files: fileFacts,
    };
    last = last === null ? seen : keepUnchanged(last, seen);
    return last;
  }

  /** Observers keep their own troubles to themselves; what is thrown all the same must not hide the other sections. */
  async function orAsBefore<T>(before: T | undefined, look: () => Promise<T>): Promise<T> {
    try {
      return await look();
    } catch (error) {
      if (before === undefined) throw error;
      ports.log.error(
        { error },
        "A section of the facts could not be looked at; it stays as it was.",
      );
      return before;
    }
  }

  return {
    observe,
    files,
    isAsBefore: () => database.isAsBefore(),
    hasStalePid: () => database.hasStalePid(),
    messageAgeMs: () => database.messageAgeMs(),
    hasDeadPool: () => pool.isDead(),
  };
}

function keepUnchanged(before: ObservedFacts, seen: ObservedFacts): ObservedFacts {
  const isSameFiles =
    before.files.length === seen.files.length &&
    before.files.every((file, index) => file === seen.files[index]);
  return {
    agent: unchanged(before.agent, seen.agent),
    host: unchanged(before.host, seen.host),
    database: unchanged(before.database, seen.database),
    pool: unchanged(before.pool, seen.pool),
    files: isSameFiles ? before.files : seen.files,
  };
}

/** Sections are plain data made by the same code in the same order, so their texts compare. */
export function unchanged<T>(before: T, now: T): T {
  return before === now || JSON.stringify(before) === JSON.stringify(now) ? before : now;
}

/** Directories outside the data directory that the server writes to. */
function placesOf(database: NodeFacts["database"]): readonly string[] {
  const archive = database.settings["archive_dest"] ?? "";
  return [
    ...database.tablespaces.map((tablespace) => tablespace.location),
    ...(archive.startsWith("/") ? [archive] : []),
  ];
}
