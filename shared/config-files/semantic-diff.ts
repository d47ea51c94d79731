import { backendChanges } from "./backend-changes.ts";
import { type ConfigChange, shownValue } from "./config-change.ts";
import { parseCron } from "./cron-lines.ts";
import { cronChanges } from "./cron-changes.ts";
import { entryChanges, type KeyedEntry } from "./entry-changes.ts";
import { type FileFormat, fileFormats, formatOfPath } from "./file-format.ts";
import { parseHaModule } from "./ha-module.ts";
import { haModuleChanges } from "./ha-module-changes.ts";
import { parseHba } from "./hba.ts";
import { hbaChanges } from "./hba-changes.ts";
import { maskChange } from "./mask-secrets.ts";
import { parsePasswordHashes } from "./password-hashes.ts";
import { parsePcpPass } from "./pcp-pass.ts";
import { backendIdOf, parsePoolConf } from "./pool-conf.ts";
import { parsePoolStatus } from "./pool-status.ts";
import { parseRecoveryConf } from "./recovery-conf.ts";
import { sequenceChanges } from "./sequence-changes.ts";
import { parseServerConf, type ServerConf } from "./server-conf.ts";
import { includeChanges, settingChanges } from "./setting-changes.ts";
import { type Complaint, type Line, splitLines } from "./text-file.ts";

/** What is shown at most; the rest is counted. */
const mostChanges = 500;

/**
 * What a new version of a file means that the old one did not, in the order of its lines: settings by name, rules by
 * their order, backends by their place, users by their name. Secrets are masked (`[secret, changed]`). Both texts may be
 * masked already: then a change of a secret alone can't be seen here. Empty for equal texts.
 */
export function semanticDiff(
  pathOrFormat: string,
  before: string,
  after: string,
): readonly ConfigChange[] {
  if (before === after) return [];
  const format = fileFormats.find((known) => known === pathOrFormat) ?? formatOfPath(pathOrFormat);
  const changes = [...changesOf(format, pathOrFormat, before, after)];
  if (changes.length === 0) return [noEffect];
  const sorted = changes.toSorted((a, b) => placeOf(a) - placeOf(b));
  if (sorted.length <= mostChanges) return sorted;
  const rest = String(sorted.length - mostChanges);
  return [...sorted.slice(0, mostChanges), { ...noEffect, kind: "more", to: rest }];
}

const noEffect: ConfigChange = {
  kind: "no-effect",
  subject: "",
  from: null,
  to: null,
  fromLine: null,
  toLine: null,
};

function placeOf({ fromLine, toLine }: ConfigChange): number {
  return toLine ?? fromLine ?? 0;
}

function changesOf(
  format: FileFormat,
  file: string,
  before: string,
  after: string,
): readonly ConfigChange[] {
  switch (format) {
    case "server-conf":
      return serverChanges(parseServerConf(before), parseServerConf(after));
    case "recovery-conf": {
      const [old, current] = [parseRecoveryConf(before), parseRecoveryConf(after)];
      return serverChanges(
        { ...old.conf, complaints: old.complaints },
        { ...current.conf, complaints: current.complaints },
      );
    }
    case "pool-conf": {
      const [old, current] = [parsePoolConf(before), parsePoolConf(after)];
      const rows = backendChanges(old, current);
      const rest = serverChanges(old.conf, current.conf).filter(({ subject }) => {
        const id = backendIdOf(subject);
        return id === null || !rows.ids.has(id);
      });
      return [...rows.changes, ...rest];
    }
    case "hba": {
      const [old, current] = [parseHba(before), parseHba(after)];
      return [...hbaChanges(old, current), ...complaintChanges(old, current)];
    }
    case "ha-module": {
      const [old, current] = [parseHaModule(before), parseHaModule(after)];
      return [...haModuleChanges(old, current), ...complaintChanges(old, current)];
    }
    case "cron":
      return [
        ...cronChanges(before, after),
        ...complaintChanges(parseCron(before), parseCron(after)),
      ];
    case "password-hashes":
      return entryChanges(hashEntries(before, file), hashEntries(after, file));
    case "pcp-pass":
      return entryChanges(loginEntries(before), loginEntries(after));
    case "pool-status":
      return entryChanges(statusEntries(before), statusEntries(after));
    case "pg-pass":
    case "secret":
    case "other":
      return lineChanges(format, before, after);
  }
}

function serverChanges(before: ServerConf, after: ServerConf): readonly ConfigChange[] {
  return [
    ...settingChanges(before.entries, after.entries),
    ...includeChanges(before, after),
    ...complaintChanges(before, after),
  ];
}

type Complained = { readonly lines: readonly Line[]; readonly complaints: readonly Complaint[] };

/** A complaint about the same text at another place is none of this change. */
function complaintChanges(before: Complained, after: Complained): readonly ConfigChange[] {
  const itemsOf = ({ lines, complaints }: Complained) =>
    complaints.map(({ line, message }) => {
      const label = shownValue(message);
      return {
        key: `${message}\n${lines[line - 1]?.text ?? ""}`,
        slot: label,
        label,
        value: label,
        line,
      };
    });
  return sequenceChanges(itemsOf(before), itemsOf(after), "is nothing").flatMap((change) => {
    // Another text with the same fault: as broken as before.
    if (change.kind === "changed") return { ...change, kind: "broken" as const, from: null };
    return { ...change, kind: change.kind === "added" ? ("broken" as const) : ("mended" as const) };
  });
}

function hashEntries(text: string, file: string): readonly KeyedEntry[] {
  const lines = splitLines(text);
  return parsePasswordHashes(text, file).entries.map(({ user, form, line }) => {
    const shown = form === "empty" ? "no password" : `[secret] as ${form}`;
    return { subject: `user ${user}`, line, raw: lines[line - 1]?.text ?? "", shown };
  });
}

function loginEntries(text: string): readonly KeyedEntry[] {
  const lines = splitLines(text);
  return parsePcpPass(text).entries.map(({ host, port, user, hasPassword, line }) => {
    const shown = hasPassword ? "[secret]" : "no password";
    const subject = `login ${user} at ${host}:${port}`;
    return { subject, line, raw: lines[line - 1]?.text ?? "", shown };
  });
}

function statusEntries(text: string): readonly KeyedEntry[] {
  return parsePoolStatus(text).nodes.map((status, id) => ({
    subject: `backend ${id}`,
    line: id + 1,
    raw: status,
    shown: status,
  }));
}

/** Of what has no meaning for us: the lines, masked. */
function lineChanges(format: FileFormat, before: string, after: string): readonly ConfigChange[] {
  const masked = maskChange(format, before, after);
  const itemsOf = (text: string) =>
    splitLines(text)
      .filter((line) => line.text.trim() !== "")
      .map((line) => {
        const label = shownValue(line.text);
        const slot = `line ${line.number}`;
        return { key: line.text, slot, label: `line ${label}`, value: label, line: line.number };
      });
  return sequenceChanges(itemsOf(masked.before), itemsOf(masked.after), "counts");
}
