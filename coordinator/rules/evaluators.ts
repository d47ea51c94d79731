import { firstMatch, type HbaMatchOptions } from "#shared/config-files/hba-match.ts";
import type { HbaConf } from "#shared/config-files/hba.ts";

type Settings = Readonly<Record<string, string>>;

/** What a standby must not have less of than its primary (PostgreSQL docs, hot standby; max_wal_senders from 12 on). */
export function hotStandbySettings(versionNumber: number): readonly string[] {
  return [
    "max_connections",
    "max_worker_processes",
    "max_prepared_transactions",
    "max_locks_per_transaction",
    ...(versionNumber >= 120_000 ? ["max_wal_senders"] : []),
  ];
}

export type Shortfall = { readonly name: string; readonly ours: number; readonly theirs: number };

/** A standby with less refuses to start, or to go on. */
export function lessThanPrimary(
  primary: Settings,
  standby: Settings,
  versionNumber: number,
): readonly Shortfall[] {
  return hotStandbySettings(versionNumber).flatMap((name) => {
    const theirs = numberIn(primary, name);
    const ours = numberIn(standby, name);
    return theirs === null || ours === null || ours >= theirs ? [] : [{ name, ours, theirs }];
  });
}

export function numberIn(settings: Settings, name: string): number | null {
  const value = settings[name];
  return value !== undefined && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : null;
}

/** What a former primary can be rewound with; null when nobody knows both settings. */
export function rewindMeans(settings: Settings): "wal_log_hints" | "checksums" | "neither" | null {
  if (settings["wal_log_hints"] === "on") return "wal_log_hints";
  if (settings["data_checksums"] === "on") return "checksums";
  return settings["wal_log_hints"] === undefined ? null : "neither";
}

/** Every session of a pool may have a connection to every backend (pgpool docs, num_init_children). */
export function poolConnections(
  children: number | null,
  pool: number | null,
  settings: Settings,
): { readonly found: string; readonly fits: boolean } | null {
  const most = numberIn(settings, "max_connections");
  const reserved = numberIn(settings, "superuser_reserved_connections") ?? 3;
  if (children === null || pool === null || most === null) return null;
  const found = `${children} × ${pool} = ${children * pool} sessions, ${most} - ${reserved} connections`;
  return { found, fits: children * pool <= most - reserved };
}

/** Addresses of which the file says that they may not come in for replication; null when it can't be decided. */
export function refusedForReplication(
  conf: HbaConf,
  user: string,
  addresses: readonly string[],
  options: HbaMatchOptions = {},
): readonly { readonly address: string; readonly line: number | null }[] {
  return addresses.flatMap((address): { address: string; line: number | null }[] => {
    const query = { type: "host", database: "", user, address, replication: true } as const;
    const match = firstMatch(conf, query, options);
    if (match === null) return [{ address, line: null }];
    return match.undecidable === null && match.rule?.method === "reject"
      ? [{ address, line: match.line }]
      : [];
  });
}
