import { foldSettingName } from "./setting-line.ts";
import { recoveryTargets } from "./recovery-conf.ts";
import { haModuleKey } from "./ha-module-keys.ts";
import type { HaModule } from "./ha-module.ts";
import type { ServerConf } from "./server-conf.ts";
import { type Complaint, decodeUtf8 } from "./text-file.ts";

/**
 * What reads well and is still likely a mistake: a key that stands there twice (the last one counts, and nobody says
 * so), a key that nothing reads. Servers name unknown settings themselves, in pg_file_settings and their log.
 */
export function serverKeyComplaints(conf: ServerConf): readonly Complaint[] {
  return repeatedKeys(
    conf.entries.filter((entry) => !entry.commentedOut),
    conf.file,
  );
}

/** All that PostgreSQL 9.1 to 11 know: one more, and the server does not start (PostgreSQL docs; tried 10). */
const recoverySettings: ReadonlySet<string> = new Set([
  "archive_cleanup_command",
  "primary_conninfo",
  "primary_slot_name",
  "recovery_end_command",
  "recovery_min_apply_delay",
  ...recoveryTargets,
  "restore_command",
  "standby_mode",
  "trigger_file",
]);

export function recoveryKeyComplaints(conf: ServerConf): readonly Complaint[] {
  const unknown = conf.entries
    .filter((entry) => !entry.commentedOut && !recoverySettings.has(foldSettingName(entry.name)))
    .map((entry) => {
      const message = `${decodeUtf8(entry.name)} is no recovery setting`;
      const hint = "A server does not start with it; its other settings belong into its own file.";
      return { file: conf.file, line: entry.line, column: entry.column, message, hint };
    });
  return [...unknown, ...serverKeyComplaints(conf)];
}

/** Names that the shell itself or the programs it starts look at: setting one changes how root's scripts run. */
const shellNames =
  /^(?:PATH|IFS|ENV|BASH_.*|LD_.*|HOME|SHELL|SHELLOPTS|PS4|PROMPT_COMMAND|CDPATH)$/;

export function haKeyComplaints(module: HaModule): readonly Complaint[] {
  const { file, assignments } = module;
  const unknown = assignments.flatMap(({ name, line, column }): readonly Complaint[] => {
    if (haModuleKey.has(name)) return [];
    if (shellNames.test(name)) {
      const message = `${name} changes how the scripts themselves run, as root`;
      return [{ file, line, column, message, hint: "Take it out." }];
    }
    const message = `${decodeUtf8(name)} is no key that the scripts read`;
    const hint = "Compare its spelling with another node's.";
    return [{ file, line, column, message, hint, isDoubt: true }];
  });
  return [...unknown, ...repeatedKeys(assignments, file)];
}

type Key = { readonly name: string; readonly line: number; readonly column: number };

/** One for each key, at the line that counts. */
function repeatedKeys(keys: readonly Key[], file: string): readonly Complaint[] {
  const found = new Map<string, { readonly last: Key; readonly count: number }>();
  for (const key of keys) {
    found.set(key.name, { last: key, count: (found.get(key.name)?.count ?? 0) + 1 });
  }
  return [...found.values()].flatMap(({ last, count }) => {
    if (count === 1) return [];
    const message = `${decodeUtf8(last.name)} is set ${count} times`;
    const hint = `Line ${last.line} counts: take out the others.`;
    return { file, line: last.line, column: last.column, message, hint, isDoubt: true };
  });
}
