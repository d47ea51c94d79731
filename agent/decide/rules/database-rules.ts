import type { GuardStep } from "#shared/domain/guard.ts";
import type { GuardMemory, GuardView } from "../view.ts";
import { successor } from "../whom-to-follow.ts";
import type { Rule } from "./rule.ts";

/** Two starts that did not last: a third would not either. */
const mostDeaths = 3;

/** The server itself: dead, stopped, silent, and its disk. */
export const databaseRules: readonly Rule[] = [
  {
    id: "incomplete-data-directory",
    because:
      "the data directory is an unfinished copy, and opened as it is it could become a second primary",
    severity: "info",
    looks: 1,
    class: "database",
    when: ({ facts: { database } }) =>
      database.hasIncompleteMarker
        ? `castellan.incomplete is there; database ${database.status}`
        : null,
    next: "castellan operation list: the operation that copies it goes on, or takes it away",
  },
  {
    id: "database-dead",
    because: "the database ended without a clean stop",
    severity: "critical",
    looks: 1,
    class: "database",
    when: ({ facts: { database }, hasStalePid }) =>
      database.status === "stopped" && hasStalePid && !database.hasIncompleteMarker
        ? (database.problem ?? "its process is gone")
        : null,
    steps: restart,
    nearly: ({ facts: { database }, hasStalePid }) =>
      database.status === "stopped" && hasStalePid && database.hasIncompleteMarker
        ? {
            evidence: "its process is gone",
            missing: "the directory is an unfinished copy, which nobody starts",
          }
        : null,
    next: "its log says why; a dead primary is left to whoever fails over from it (guard.restart)",
  },
  {
    id: "database-not-started",
    because: "this host was started anew, and nobody started the database that ran before",
    severity: "critical",
    // Whoever starts it at boot may take his time.
    looks: 5,
    class: "database",
    when: ({ facts: { database, host }, hasStalePid, marks: { ranInBoot, stopped } }) =>
      database.status === "stopped" &&
      stopped === null &&
      !hasStalePid &&
      !database.hasIncompleteMarker &&
      ranInBoot !== null &&
      ranInBoot !== host.bootId
        ? "it has not run since the boot"
        : null,
    steps: restart,
    next: "start it; guard.restart says what the guard starts, and a site's own unit may do so before",
  },
  {
    id: "database-flapping",
    because:
      "the database died again soon after each of its starts, so the guard starts it no more",
    severity: "critical",
    looks: 1,
    class: "database",
    when: ({ facts: { database } }, { deaths }) =>
      deaths !== null && deaths.count >= mostDeaths
        ? `${deaths.count} deaths, each within a minute of its start; database ${database.status}`
        : null,
    next: "its log says why; started by hand, it is over once the database has lived for a minute",
  },
  {
    id: "database-stopped",
    because: "the database was running and has been stopped by someone",
    severity: "warning",
    looks: 2,
    class: "database",
    when: ({ facts: { database }, hasStalePid, marks: { stopped } }, { ranAt }, now) =>
      database.status === "stopped" &&
      stopped === null &&
      !hasStalePid &&
      !database.hasIncompleteMarker &&
      ranAt !== null
        ? `no process and no pid file; it last answered ${Math.round((now - ranAt) / 1000)} s ago`
        : null,
    nearly: ({ facts: { database }, hasStalePid }, { ranAt }) =>
      database.status === "stopped" && !hasStalePid && ranAt === null
        ? {
            evidence: "no process and no pid file",
            missing: "a look since the agent's start at which it ran",
          }
        : null,
    next: "start it when the work that it was stopped for is done; a clean stop is a person's word, or an operation's",
  },
  {
    id: "stopped-on-purpose",
    because: "an operation stopped this node, and nothing is started or mended until it is started",
    severity: "info",
    looks: 1,
    class: "database",
    when: ({ facts: { database }, marks: { stopped } }) =>
      database.status === "stopped" && stopped !== null
        ? `stopped at ${new Date(stopped.at).toISOString()}`
        : null,
    next: "castellan cluster start",
  },
  {
    id: "database-unreachable",
    because: "the database's process lives but gives no session",
    severity: "critical",
    looks: 5,
    class: "database",
    when: ({ facts: { database } }) =>
      database.status === "unreachable" && !database.hasIncompleteMarker
        ? (database.problem ?? "no session")
        : null,
    next: "its log says whether it recovers, refuses or hangs",
  },
];

/** A former primary that nobody has fenced is left to whoever fails over from it. */
function restart(view: GuardView, memory: GuardMemory): readonly GuardStep[] {
  const { facts: { database }, policy } = view; // prettier-ignore
  if ((memory.deaths?.count ?? 0) >= mostDeaths || policy.restart === "never") return [];
  if (policy.restart === "standbys" && isBeingReplaced(view, memory)) return [];
  if (database.hasStandbyMarker) return [{ do: "start-database" }];
  return policy.restart === "all" ? [{ do: "write-standby-marker" }, { do: "start-database" }] : [];
}

/** A failover promotes somebody within it, or nobody at all. */
const failoverMs = 60_000;

/** Fenced since it died as a primary: back before another one leads, it would have its standbys stream from it again. */
function isBeingReplaced(view: GuardView, { deaths, ranAt }: GuardMemory): boolean {
  const { fencedAt } = view.marks;
  const isFenced = fencedAt !== null && fencedAt >= (ranAt ?? 0);
  const isRecent = deaths !== null && view.elapsedMs - deaths.lastMs < failoverMs;
  return isFenced && isRecent && successor(view) === null;
}
