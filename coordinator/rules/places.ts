import { effective, type ServerConf, type SettingEntry } from "#shared/config-files/server-conf.ts";
import { standbySettings } from "#shared/config-files/recovery-conf.ts";
import { bareAddress, isLoopback, isSameAddress } from "#shared/domain/addresses.ts";
import type { Finding } from "./rule.ts";
import { type ClusterView, type NodeView, type ReadFile, sound } from "./view.ts";

/** Where a setting stands in a node's files. */
export type Configured = { readonly file: ReadFile; readonly entry: SettingEntry };

/** What the files say of a server's setting, *.auto.conf last; "unset" when they say nothing, null when that can't be known. */
export function configured(node: NodeView, name: string): Configured | "unset" | null {
  // Every server has that file from its beginning: one that is not there is not the one that it reads.
  const auto = entryIn(node.autoConf, name);
  return auto === "unset" ? written(node, name) : auto;
}

/** What the configuration file says, with all that it includes. */
export function written(node: NodeView, name: string): Configured | "unset" | null {
  const entry = node.written.settings.get(name);
  if (entry === undefined) return node.written.isWhole ? "unset" : null;
  const file = [node.conf, ...node.included].find((known) => known?.path === entry.file);
  return file == null ? null : { file, entry };
}

/** What ALTER SYSTEM has set, as far as the file tells. */
export function autoEntry(node: NodeView, name: string): Configured | "unset" | null {
  const file = node.facts?.files.find(({ format }) => format === "auto-conf");
  return file?.state === "absent" ? "unset" : entryIn(node.autoConf, name);
}

/** Is it known that there is no such file? */
export function isAbsent(node: NodeView, path: string | undefined): boolean {
  const file = node.facts?.files.find((known) => known.path === path);
  return file?.state === "absent";
}

/** The setting in this one file; null when the file can't be relied on. */
function entryIn(file: ReadFile<ServerConf> | null, name: string): Configured | "unset" | null {
  const read = sound(file);
  if (read === null) return null;
  const entry = effective(read.content).get(name);
  return entry === undefined ? "unset" : { file: read, entry };
}

/** The settings that make a server a standby, as one place has them. */
export type StandbyPlace = {
  readonly file: ReadFile;
  readonly settings: ReturnType<typeof standbySettings>;
  /** Of a server from PostgreSQL 12 on, in any of the files that it reads. */
  readonly where: (name: string) => Pick<Finding, "file" | "line">;
  /** recovery.conf and the vendor's template of it: all of them stand there, none has a default that will do. */
  readonly isRecoveryConf: boolean;
};

/** recovery.conf, the vendor's template, and from PostgreSQL 12 on the server's own files. */
export function standbyPlaces(node: NodeView): readonly StandbyPlace[] {
  const recovery = [sound(node.recovery), sound(node.recoveryTemplate)].flatMap((file) => {
    if (file === null) return [];
    const entries = effective(file.content.conf);
    const place: StandbyPlace = {
      file,
      settings: file.content.standby,
      where: (name) => at(file, entries.get(name)?.line ?? null),
      isRecoveryConf: true,
    };
    return [place];
  });
  const inConf = serverPlace(node);
  return inConf === null ? recovery : [...recovery, inConf];
}

function serverPlace(node: NodeView): StandbyPlace | null {
  const names = ["primary_conninfo", "primary_slot_name", "recovery_target_timeline"];
  const found = new Map(
    names.flatMap((name) => {
      const place = configured(node, name);
      return place === null || place === "unset" ? [] : [[name, place] as const];
    }),
  );
  const conninfo = found.get("primary_conninfo");
  if (conninfo === undefined || conninfo.entry.value === "") return null;
  return {
    file: conninfo.file,
    settings: standbySettings(new Map([...found].map(([name, { entry }]) => [name, entry]))),
    where: (name) => {
      const { file, entry } = found.get(name) ?? conninfo;
      return at(file, name === entry.name ? entry.line : null);
    },
    isRecoveryConf: false,
  };
}

/** The place of an entry, for a finding. */
export function at(file: ReadFile, line: number | null): Pick<Finding, "file" | "line"> {
  return { file: file.path, ...(line === null ? {} : { line }) };
}

/** Is this one of the host's own addresses? Null while nobody can say. */
export function isLocal(node: NodeView, address: string, view: ClusterView): boolean {
  if (isSameAddress(address, node.declared.address)) return true;
  // Where all hosts are one, every loopback address is each host's.
  if (isLoopback(address)) return !view.isOneHost;
  return (node.facts?.host.addresses ?? []).some((row) => isSameAddress(row.address, address));
}

export function isVirtual(view: ClusterView, address: string): boolean {
  return view.virtualAddresses.some((vip) => isSameAddress(vip, bareAddress(address)));
}

/** Items of `found` that are not wanted, and the other way round. */
export function difference(
  found: readonly string[],
  wanted: readonly string[],
): { readonly missing: readonly string[]; readonly extra: readonly string[] } | null {
  const missing = wanted.filter((item) => !found.includes(item));
  const extra = found.filter((item) => !wanted.includes(item));
  return missing.length + extra.length === 0 ? null : { missing, extra };
}

export function tellDifference({
  missing,
  extra,
}: {
  readonly missing: readonly string[];
  readonly extra: readonly string[];
}): string {
  return [
    ...(missing.length > 0 ? [`without ${missing.join(", ")}`] : []),
    ...(extra.length > 0 ? [`with ${extra.join(", ")}`] : []),
  ].join(", ");
}
