import { type ConfigChange, shownValue } from "./config-change.ts";
import { maskSettingChange } from "./mask-secrets.ts";
import { sequenceChanges, type SequenceItem } from "./sequence-changes.ts";
import type { ServerConf } from "./server-conf.ts";

/** One `name = value`, of whichever format. */
export type NamedValue = {
  readonly name: string;
  /** Quotes resolved. */
  readonly value: string;
  readonly line: number;
  readonly commentedOut: boolean;
};

/** Name by name; of several lines the last active one counts. */
export function settingChanges(
  before: readonly NamedValue[],
  after: readonly NamedValue[],
): readonly ConfigChange[] {
  const old = standingOf(before);
  const current = standingOf(after);
  const changes: ConfigChange[] = [];
  for (const name of new Set([...old.keys(), ...current.keys()])) {
    const from = old.get(name) ?? nowhere;
    const to = current.get(name) ?? nowhere;
    const change = changeOf(name, from, to);
    if (change !== null) changes.push(change);
    if (to.active !== null && to.activeCount > 1 && to.activeCount > from.activeCount) {
      changes.push({
        kind: "repeated",
        subject: shownValue(name),
        from: null,
        to: String(to.activeCount),
        fromLine: null,
        toLine: to.active.line,
      });
    }
  }
  return changes;
}

/** What a file includes: the order counts. */
export function includeChanges(before: ServerConf, after: ServerConf): readonly ConfigChange[] {
  return sequenceChanges(includesOf(before), includesOf(after), "counts");
}

function includesOf(conf: ServerConf): readonly SequenceItem[] {
  return conf.includes.map(({ kind, path, line }) => {
    const label = `${kind} ${shownValue(path)}`;
    return { key: `${kind} ${path}`, slot: label, label, value: label, line };
  });
}

type Standing = {
  /** The one that counts. */
  readonly active: NamedValue | null;
  readonly activeCount: number;
  readonly comment: NamedValue | null;
  readonly commentCount: number;
};

const nowhere: Standing = { active: null, activeCount: 0, comment: null, commentCount: 0 };

function standingOf(lines: readonly NamedValue[]): ReadonlyMap<string, Standing> {
  const standing = new Map<string, Standing>();
  for (const line of lines) {
    const known = standing.get(line.name) ?? nowhere;
    standing.set(
      line.name,
      line.commentedOut
        ? { ...known, comment: line, commentCount: known.commentCount + 1 }
        : { ...known, active: line, activeCount: known.activeCount + 1 },
    );
  }
  return standing;
}

function changeOf(name: string, from: Standing, to: Standing): ConfigChange | null {
  const kind = kindOf(from, to);
  if (kind === null) return null;
  const masked = maskSettingChange(name, from.active?.value ?? null, to.active?.value ?? null);
  return {
    kind,
    subject: shownValue(name),
    from: masked.before === null ? null : shownValue(masked.before),
    to: masked.after === null ? null : shownValue(masked.after),
    fromLine: (from.active ?? (kind === "commented-in" ? from.comment : null))?.line ?? null,
    toLine: (to.active ?? (kind === "commented-out" ? to.comment : null))?.line ?? null,
  };
}

function kindOf(from: Standing, to: Standing): ConfigChange["kind"] | null {
  if (from.active !== null && to.active !== null) {
    return from.active.value === to.active.value ? null : "changed";
  }
  if (to.active !== null) return from.commentCount > to.commentCount ? "commented-in" : "added";
  if (from.active !== null)
    return to.commentCount > from.commentCount ? "commented-out" : "removed";
  return null;
}
