import type { Progress } from "#shared/domain/commands.ts";
import { phases, type PhaseId } from "../../operations/plan.ts";
import type { OperationRecord, StepRecord } from "../../store/store.ts";
import { renderBytes, renderDuration } from "./units.ts";

const phaseTitles: Readonly<Record<PhaseId, string>> = {
  drill: "fault under load",
  restart: "restart one by one",
  stop: "stop",
  pools: "pools",
  hba: "open access",
  slots: "replication slots",
  "base-backup": "base backup",
  files: "files of the node",
  start: "start and stream",
  verify: "verify data",
  register: "register",
  synchronous: "synchronous list",
  regime: "join the regime",
  proof: "proof of reads",
  declare: "declare",
  restore: "restore",
  cron: "the vendor's cron lines",
  "hand-over": "Hand over",
  follow: "Follow the new primary",
  detach: "Take it out of the pools",
  withdraw: "Take it out of the others' files and slots",
  delete: "Delete its data",
  mode: "the guards' mode",
};

const marks: Readonly<Record<StepRecord["state"], string>> = {
  pending: " ",
  started: ">",
  done: "+",
  failed: "!",
  undoing: "<",
  undone: "-",
  "undo-failed": "!",
};

/** The live tree: a line a phase, the steps under way (or in trouble) below theirs. `now` drives the durations. */
export function renderOperationTree(
  operation: OperationRecord,
  progress: ReadonlyMap<string, Progress>,
  now: number,
): readonly string[] {
  const lines = [
    `${operation.kind} ${operation.subject} to ${operation.cluster}: ${operation.state}  (${operation.id})`,
  ];
  for (const phase of phases) {
    const steps = operation.plan.steps.flatMap((step, index) => {
      const record = operation.steps[index];
      return step.phase === phase && record !== undefined ? [{ step, record }] : [];
    });
    if (steps.length === 0) continue;
    const done = steps.filter(({ record }) => record.state === "done").length;
    lines.push(
      `[${phaseMark(steps.map(({ record }) => record))}] ${phaseTitles[phase].padEnd(22)} ${done}/${steps.length}${phaseTime(steps.map(({ record }) => record))}`,
    );
    for (const { step, record } of steps) {
      if (record.state === "pending" || record.state === "done" || record.state === "undone")
        continue;
      const took = record.startedAt === null ? "" : `  ${renderDuration(now - record.startedAt)}`;
      lines.push(`     ${marks[record.state]} ${step.title}${took}`);
      const current = progress.get(step.id);
      if (current !== undefined && record.state === "started")
        lines.push(`       ${renderProgress(current)}`);
      if (record.failure !== null) lines.push(`       ${record.failure.message}`);
    }
  }
  return lines;
}

function phaseMark(records: readonly StepRecord[]): string {
  const states = new Set(records.map((record) => record.state));
  for (const state of ["undo-failed", "failed", "undoing", "started"] as const) {
    if (states.has(state)) return marks[state];
  }
  if (states.has("undone")) return marks.undone;
  if (states.size === 1 && states.has("done")) return marks.done;
  return states.has("done") ? ">" : " ";
}

function phaseTime(records: readonly StepRecord[]): string {
  const starts = records.flatMap((r) => (r.startedAt === null ? [] : [r.startedAt]));
  const ends = records.flatMap((r) => (r.endedAt === null ? [] : [r.endedAt]));
  if (starts.length === 0 || ends.length < records.length) return "";
  return `   ${renderDuration(Math.max(...ends) - Math.min(...starts))}`;
}

/** `61%  1.2 GiB of 2.0 GiB, 310 MiB/s, 3 s left  copying` */
export function renderProgress(progress: Progress): string {
  const { doneBytes, totalBytes, bytesPerSecond, note } = progress;
  const parts: string[] = [];
  if (doneBytes !== null && totalBytes !== null && totalBytes > 0) {
    const share = Math.min(100, Math.floor((100 * doneBytes) / totalBytes));
    parts.push(`${share}%  ${renderBytes(doneBytes)} of ${renderBytes(totalBytes)}`);
  } else if (doneBytes !== null) {
    parts.push(renderBytes(doneBytes));
  }
  if (bytesPerSecond !== null) {
    parts.push(`${renderBytes(bytesPerSecond)}/s`);
    if (doneBytes !== null && totalBytes !== null && bytesPerSecond > 0) {
      const left = Math.max(0, totalBytes - doneBytes) / bytesPerSecond;
      parts.push(`${renderDuration(left * 1000)} left`);
    }
  }
  return [parts.join(", "), note].filter((part) => part !== "").join("  ");
}
