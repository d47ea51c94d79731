import { type ConfigChange, shownValue } from "./config-change.ts";
import { maskSecrets } from "./mask-secrets.ts";
import { sequenceChanges, type SequenceItem } from "./sequence-changes.ts";
import { splitLines } from "./text-file.ts";

/** Jobs that came, went, were switched off or on, or run at another time. How many `#` stand before one means nothing. */
export function cronChanges(before: string, after: string): readonly ConfigChange[] {
  const old = jobsOf(before);
  const current = jobsOf(after);
  const changes = sequenceChanges(old.active, current.active, "is nothing");
  return changes.map((change): ConfigChange => {
    if (change.kind === "removed") {
      const comment = current.commented.get(change.subject);
      if (comment === undefined || old.commented.has(change.subject)) return change;
      return { ...change, kind: "commented-out", toLine: comment };
    }
    if (change.kind !== "added") return change;
    const comment = old.commented.get(change.subject);
    if (comment === undefined || current.commented.has(change.subject)) return change;
    return { ...change, kind: "commented-in", fromLine: comment };
  });
}

type Jobs = {
  readonly active: readonly SequenceItem[];
  /** Where each job that is switched off stands, by its label. */
  readonly commented: ReadonlyMap<string, number>;
};

const timeField = String.raw`[*0-9A-Za-z][*0-9A-Za-z,/-]*`;
const jobPattern = new RegExp(
  `^(@[a-z]+|${timeField}(?:[ \\t]+${timeField}){4})[ \\t]+([^ \\t].*)$`,
);

function jobsOf(text: string): Jobs {
  const active: SequenceItem[] = [];
  const commented = new Map<string, number>();
  for (const line of splitLines(text)) {
    const body = line.text.replace(/^[ \t#]+/, "").trimEnd();
    const isComment = /^[ \t]*#/.test(line.text);
    if (body === "") continue;
    const job = jobPattern.exec(body);
    const [, time = "", rest = ""] = job ?? [];
    // Prose starts with words, a job's five fields have a digit or an asterisk.
    if (isComment && (job === null || !/[*0-9@]/.test(time))) continue;
    const what = job === null ? `variable ${body.split("=", 1)[0]?.trim() ?? ""}` : `job ${rest}`;
    const label = shownValue(maskSecrets("cron", job === null ? body : `job ${time} ${rest}`));
    if (isComment) {
      commented.set(label, line.number);
      continue;
    }
    const slot = shownValue(maskSecrets("cron", what));
    const value = job === null ? label : time;
    const key = body.replaceAll(/[ \t]+/g, " ");
    active.push({ key, slot, label, value, line: line.number });
  }
  return { active, commented };
}
