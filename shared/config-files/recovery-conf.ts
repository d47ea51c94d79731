import { type Conninfo, parseConninfo, printConninfo } from "./conninfo.ts";
import { effective, parseServerConf, type ServerConf, type SettingEntry } from "./server-conf.ts";
import { quoteSetting } from "./setting-line.ts";
import { readSettingBoolean } from "./setting-value.ts";
import type { Complaint } from "./text-file.ts";

/** recovery.conf, recovery.done and the vendor's etc/recovery.done: the same grammar as the server's own file. */
export type RecoveryConf = {
  readonly conf: ServerConf;
  readonly standby: StandbySettings;
  readonly complaints: readonly Complaint[];
};

/** What makes a server a standby, wherever it is written (recovery.conf, or from PostgreSQL 12 the server's file). */
type StandbySettings = {
  /** Only recovery.conf has it; null where standby.signal decides. */
  readonly standbyMode: boolean | null;
  readonly primaryConninfo: Conninfo | null;
  readonly primarySlotName: string | null;
  readonly recoveryTargetTimeline: string | null;
  /** `trigger_file`, or `promote_trigger_file` from 12 to 15. */
  readonly triggerFile: string | null;
  readonly restoreCommand: string | null;
};

/** How far a recovery goes: all such settings, in recovery.conf or from PostgreSQL 12 in the server's file. */
export const recoveryTargets = [
  "recovery_target",
  "recovery_target_action",
  "recovery_target_inclusive",
  "recovery_target_lsn",
  "recovery_target_name",
  "recovery_target_time",
  "recovery_target_timeline",
  "recovery_target_xid",
] as const;

/** `primary_slot_name ='slot_srv159'` gives `standby.primarySlotName` "slot_srv159". */
export function parseRecoveryConf(text: string, file = ""): RecoveryConf {
  const conf = parseServerConf(text, file);
  const settings = effective(conf);
  const standby = standbySettings(settings);
  const complaints = [...conf.complaints];
  const entry = settings.get("primary_conninfo");
  const problem = standby.primaryConninfo?.problem ?? null;
  if (entry !== undefined && problem !== null) {
    complaints.push({
      file,
      line: entry.line,
      column: entry.column,
      message: `primary_conninfo can't be read from its character ${problem.at + 1} on: ${problem.message}`,
      hint: "Write KEY=VALUE pairs with one blank between them.",
    });
  }
  return { conf, standby, complaints };
}

export function standbySettings(
  settings: ReadonlyMap<string, Pick<SettingEntry, "value">>,
): StandbySettings {
  const value = (name: string): string | null => settings.get(name)?.value ?? null;
  const mode = value("standby_mode");
  const conninfo = value("primary_conninfo");
  return {
    standbyMode: mode === null ? null : readSettingBoolean(mode) === true,
    primaryConninfo: conninfo === null || conninfo === "" ? null : parseConninfo(conninfo),
    primarySlotName: value("primary_slot_name") || null,
    recoveryTargetTimeline: value("recovery_target_timeline"),
    triggerFile: value("trigger_file") ?? value("promote_trigger_file"),
    restoreCommand: value("restore_command"),
  };
}

export type RecoveryConfModel = {
  /** host, port, user, application_name …; the password in the product's own encoding. null: it follows nobody. */
  readonly primaryConninfo: ReadonlyMap<string, string> | null;
  readonly primarySlotName: string | null;
  readonly triggerFile?: string;
  /** Further settings, e.g. restore_command, in this order. */
  readonly extra?: Readonly<Record<string, string>>;
};

/**
 * A whole recovery.conf. The timeline is always 'latest': without it the node can't follow a promoted one. Everything is
 * quoted, one blank around "=", as the vendor's scripts expect (they look for the words `standby` and `primary_conninfo`).
 */
export function printRecoveryConf(model: RecoveryConfModel): string {
  const settings: [string, string][] = [["standby_mode", "on"]];
  if (model.primaryConninfo !== null) {
    settings.push(["primary_conninfo", printConninfo(model.primaryConninfo)]);
  }
  settings.push(["recovery_target_timeline", "latest"]);
  if (model.primarySlotName !== null) settings.push(["primary_slot_name", model.primarySlotName]);
  if (model.triggerFile !== undefined) settings.push(["trigger_file", model.triggerFile]);
  settings.push(...Object.entries(model.extra ?? {}));
  return settings.map(([name, value]) => `${name} = ${quoteSetting(value, true)}\n`).join("");
}
