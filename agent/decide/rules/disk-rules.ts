import type { ArchiverFacts } from "#shared/domain/facts.ts";
import { budgetWarningShare } from "../wal-budget.ts";
import type { Rule } from "./rule.ts";

/** PostgreSQL docs, archive_command: after three failures the archiver waits a minute before it tries again. */
const archiverSilenceMs = 150_000;
/** A segment: a slot of ours on a standby serves a day that has not come, and is made to hold nothing. */
const heldOnStandbyBytes = 16 * 1024 * 1024;

/** What may fill the disk that the WAL lies on. */
export const diskRules: readonly Rule[] = [
  {
    id: "slot-retains-wal-over-budget",
    because: "a slot of ours holds back so much WAL that the disk may fill",
    severity: "warning",
    looks: 1,
    class: "disk",
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
];

function waiting({ backlog }: ArchiverFacts): string {
  if (backlog === null || backlog.count === 0) return "";
  return `; ${backlog.isCut ? "at least " : ""}${backlog.count} segments (${backlog.bytes} bytes) wait`;
}
