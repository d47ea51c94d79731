import type { JournalReport } from "../../store/check-journal.ts";
import type { RestoreReport } from "../../store/stage-restore.ts";
import { renderBytes, renderTime } from "./units.ts";

export function renderCheckedStore(report: JournalReport): readonly string[] {
  const { operations, unfinished, agents, events } = report;
  return [
    `${report.file} is in order: every page, index and record was read.`,
    `  ${renderBytes(report.bytes)}, ${operations} operations, ${events} events, ${agents.length} agents, epoch ${report.epoch}`,
    ...unfinished.map(({ id, state }) => `  ${id} is ${state}: castellan operation show ${id}`),
  ];
}

export function renderBackup(made: {
  readonly file: string;
  readonly bytes: number;
  readonly madeAt: number;
  readonly files: readonly string[];
}): readonly string[] {
  return [
    `${made.file}: ${renderBytes(made.bytes)}, as of ${renderTime(made.madeAt)}`,
    `  holds ${made.files.join(", ")}`,
    "It is secret: whoever has it can be this coordinator. Mode 0600; keep it on another host.",
  ];
}

/** What was done, what it means, and what to do now, in this order. */
export function renderRestore(
  report: RestoreReport & { readonly notes: readonly string[] },
): readonly string[] {
  const { madeAt, files, held, agents, replaced } = report;
  const from =
    madeAt === null ? "a journal without a backup's date" : `the backup of ${renderTime(madeAt)}`;
  return [
    `Restored from ${from}: ${files.join(", ")}.`,
    `What was there before is in ${replaced}.`,
    ...report.notes,
    "",
    "What happened after that moment is not in this journal: operations, agents that",
    "joined, accepted files, alerts. The hosts have it all the same.",
    held.length === 0
      ? "No operation was under way in it."
      : "Operations that were under way in it are held until you decide:",
    ...held.map((id) => `  castellan operation show ${id}`),
    "",
    "Next:",
    "  systemctl start castellan-coordinator",
    `  castellan status                 ${agents.length === 0 ? "no agent had joined" : `these come back by themselves: ${agents.join(", ")}`}`,
    "  castellan token create --node N  for each agent that joined later",
    "Agents obey the coordinator that was started last: leave no other one running.",
  ];
}
