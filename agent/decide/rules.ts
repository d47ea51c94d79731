import type { ArchiverFacts, GuardFinding } from "#shared/domain/facts.ts";
import type { GuardStep, NearMiss, RuleClass } from "#shared/domain/guard.ts";
import { parseCron } from "#shared/config-files/cron-lines.ts";
import { budgetWarningShare } from "./wal-budget.ts";
import { streamingStandbys, type GuardMemory, type GuardView } from "./view.ts";

export type Rule = {
  /** Stored and printed: rename with care. */
  readonly id: string;
  /** Read as "… because …" in alerts and in `castellan why`. */
  readonly because: string;
  readonly severity: GuardFinding["severity"];
  /** Looks in a row that must agree before it is a finding, and before it is cleared: no flapping. */
  readonly looks: number;
  /** What was seen, where the rule applies; null where it doesn't. */
  readonly when: (view: GuardView, memory: GuardMemory, now: number) => string | null;
  /** What its steps touch. */
  readonly class: RuleClass;
  /** Its steps wait until somebody else sees it too. */
  readonly witness: boolean;
  /** What the guard does in charge; a row without steps only tells. */
  readonly steps?: (view: GuardView) => readonly GuardStep[];
  /** What a person does, or has to know. */
  readonly next: string;
  /** What is missing where it nearly applies, for `castellan why`; null where it is far from it. */
  readonly nearly?: (view: GuardView, memory: GuardMemory) => Omit<NearMiss, "rule"> | null;
};

/** PostgreSQL docs, archive_command: after three failures the archiver waits a minute before it tries again. */
const archiverSilenceMs = 150_000;
/** A segment: a slot of ours on a standby serves a day that has not come, and is made to hold nothing. */
const heldOnStandbyBytes = 16 * 1024 * 1024;

/** Every row is looked at each time; the order is the order of showing. Safety first. */
export const rules: readonly Rule[] = [
  {
    id: "incomplete-data-directory",
    because:
      "the data directory is an unfinished copy, and opened as it is it could become a second primary",
    severity: "info",
    looks: 1,
    class: "database",
    witness: false,
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
    witness: false,
    when: ({ facts: { database }, hasStalePid }) =>
      database.status === "stopped" && hasStalePid && !database.hasIncompleteMarker
        ? (database.problem ?? "its process is gone")
        : null,
    steps: ({ facts: { database }, restart }) => {
      if (restart === "never" || (restart === "standbys" && !database.hasStandbyMarker)) return [];
      return database.hasStandbyMarker
        ? [{ do: "start-database" }]
        : [{ do: "write-standby-marker" }, { do: "start-database" }];
    },
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
    id: "database-stopped",
    because: "the database was running and has been stopped by someone",
    severity: "warning",
    looks: 2,
    class: "database",
    witness: false,
    when: ({ facts: { database }, hasStalePid }, { ranAt }, now) =>
      database.status === "stopped" &&
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
    id: "database-unreachable",
    because: "the database's process lives but gives no session",
    severity: "critical",
    looks: 5,
    class: "database",
    witness: false,
    when: ({ facts: { database } }) =>
      database.status === "unreachable" && !database.hasIncompleteMarker
        ? (database.problem ?? "no session")
        : null,
    next: "its log says whether it recovers, refuses or hangs",
  },
  {
    id: "standby-not-streaming",
    because: "this standby receives no WAL, so it falls behind and can't take over",
    severity: "warning",
    looks: 3,
    class: "role",
    witness: false,
    when: ({ facts: { database } }) => {
      if (database.status !== "running" || database.role !== "standby") return null;
      const { receiver, upstreamProblem } = database;
      if (receiver?.status === "streaming") return null;
      const seen = receiver === null ? "no WAL receiver is running" : `the WAL receiver is ${receiver.status}`; // prettier-ignore
      return upstreamProblem === null ? seen : `${seen}; ${upstreamProblem}`;
    },
    next: "castellan status; where the WAL that it needs is gone, it has to be made anew from the primary",
  },
  {
    id: "primary-without-standbys",
    because: "a primary without a streaming standby has no redundancy",
    severity: "warning",
    looks: 3,
    class: "sync",
    witness: false,
    when: ({ facts: { database }, facts }, memory) => {
      if (database.status !== "running" || database.role !== "primary") return null;
      const expected = database.slots
        .filter((slot) => slot.type === "physical")
        .map((slot) => slot.name);
      const isExpected =
        expected.length > 0 || memory.hadStandby || (facts.pool?.rows.length ?? 0) > 1;
      if (!isExpected || streamingStandbys({ facts }).length > 0) return null;
      return expected.length === 0
        ? "nobody streams from here"
        : `nobody streams from here, though there are slots: ${expected.join(", ")}`;
    },
    nearly: ({ facts: { database }, facts }) =>
      database.status === "running" &&
      database.role === "primary" &&
      streamingStandbys({ facts }).length === 0
        ? {
            evidence: "nobody streams from here",
            missing: "a slot, a pool row or an earlier standby that says that one is expected",
          }
        : null,
    next: "castellan status: why does no standby stream? Commits are not held back by this rule",
  },
  {
    id: "slot-retains-wal-over-budget",
    because: "a slot of ours holds back so much WAL that the disk may fill",
    severity: "warning",
    looks: 1,
    class: "disk",
    witness: false,
    when: ({ facts: { agent, database } }) => {
      const over = agent.ownSlots.flatMap(({ name, walBudgetBytes, isReplaced }) => {
        const retained = database.slots.find((slot) => slot.name === name)?.retainedBytes ?? 0;
        return !isReplaced && retained >= walBudgetBytes * budgetWarningShare
          ? [`${name} holds ${retained} of ${walBudgetBytes} bytes`]
          : [];
      });
      return over.length === 0 ? null : over.join("; ");
    },
    next: "castellan slot list; it is dropped in every mode when its budget is used up (docs/slots.md)",
  },
  {
    id: "slot-retains-wal-for-nobody",
    because: "a slot that nobody uses holds back WAL",
    severity: "warning",
    looks: 5,
    class: "disk",
    witness: false,
    when: ({ facts: { agent, database }, limits }) => {
      const idle = database.slots.flatMap((slot) => {
        const own = agent.ownSlots.find(
          ({ name, isReplaced }) => name === slot.name && !isReplaced,
        );
        const isSpare = own !== undefined && database.role === "standby";
        const most = isSpare ? Math.min(heldOnStandbyBytes, limits.idleBytes) : limits.idleBytes;
        if (slot.active || slot.temporary || (slot.retainedBytes ?? 0) < most) return [];
        const whose = own === undefined ? "not ours" : `ours, for ${own.forNode}`;
        return [`${slot.name} (${whose}) holds ${slot.retainedBytes} bytes`];
      });
      return idle.length === 0 ? null : idle.join("; ");
    },
    next: "castellan slot list; a slot that isn't ours is never touched",
  },
  {
    id: "own-slot-missing",
    because: "a slot that we made for a standby is gone, and the standby can't stream without it",
    severity: "warning",
    looks: 5,
    class: "disk",
    witness: false,
    when: ({ facts: { agent, database } }) => {
      if (database.status !== "running" || database.role !== "primary") return null;
      const missing = agent.ownSlots
        .filter(({ name, isSeen }) => isSeen && !database.slots.some((s) => s.name === name))
        .map(({ name, forNode }) => `${name} for ${forNode}`);
      return missing.length === 0 ? null : missing.join("; ");
    },
    next: "castellan slot list; make it again while the WAL that its standby needs is still there",
  },
  {
    id: "archiver-failing",
    because: "WAL can't be archived, so it piles up on this disk",
    severity: "warning",
    looks: 1,
    class: "disk",
    witness: false,
    when: ({ facts: { database } }, { archiver }, now) => {
      const told = database.archiver;
      if (told === null) return null;
      const grows = archiver?.grewAt != null && now - archiver.grewAt <= archiverSilenceMs;
      // Its last word was a failure and something waits: so also after an agent's restart.
      const failedLast =
        told.lastFailedAt !== null && told.lastFailedAt > (told.lastArchivedAt ?? 0);
      if (!grows && !(failedLast && (told.backlog?.count ?? 0) > 0)) return null;
      return `failed ${told.failedCount} times, last for ${told.lastFailedWal ?? "?"}${waiting(told)}; dropping slots does not help here`;
    },
    next: "mend archive_command or its target; dropping slots doesn't help here",
  },
  {
    id: "archiver-behind",
    because: "much WAL waits to be archived, and stays on this disk until it is",
    severity: "warning",
    looks: 3,
    class: "disk",
    witness: false,
    when: ({ facts: { database }, limits }) => {
      const told = database.archiver;
      if ((told?.backlog?.bytes ?? 0) < limits.archiveBacklogBytes || told === null) return null;
      return `${told.lastArchivedWal ?? "nothing"} was archived last${waiting(told)}; dropping slots does not help here`;
    },
    nearly: ({ facts: { database }, limits }) => {
      const bytes = database.archiver?.backlog?.bytes ?? 0;
      return bytes * 2 < limits.archiveBacklogBytes
        ? null
        : {
            evidence: `${bytes} bytes wait to be archived`,
            missing: `${limits.archiveBacklogBytes} bytes`,
          };
    },
    next: "speed up archive_command; dropping slots doesn't help here",
  },
  {
    id: "vendor-cron-line-active",
    because: "the vendor's cron check is in charge on this node and acts by itself",
    severity: "info",
    looks: 1,
    class: "role",
    witness: false,
    when: ({ facts: { files } }) => {
      const active = files
        .filter((file) => file.format === "cron" && file.maskedText !== null)
        .flatMap((file) =>
          Object.values(parseCron(file.maskedText ?? "", file.path).vendor)
            .flatMap(({ lines }) => lines)
            .filter((line) => line.hashes === 0)
            .map((line) => `${file.path}:${line.line} runs ${line.command}`),
        );
      return active.length === 0 ? null : active.join("; ");
    },
    next: "nothing before a takeover: the vendor's checks are in charge here",
  },
];

function waiting({ backlog }: ArchiverFacts): string {
  if (backlog === null || backlog.count === 0) return "";
  return `; ${backlog.isCut ? "at least " : ""}${backlog.count} segments (${backlog.bytes} bytes) wait`;
}
