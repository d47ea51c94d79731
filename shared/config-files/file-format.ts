import type { FileFormat as FileKind } from "../domain/facts.ts";

/** The formats that this folder knows. `secret` is a key as a whole; of `other` nothing is known. */
export const fileFormats = [
  "server-conf",
  "recovery-conf",
  "hba",
  "ha-module",
  "pool-conf",
  "pool-status",
  "password-hashes",
  "pcp-pass",
  "pg-pass",
  "cron",
  "secret",
  "other",
] as const;
export type FileFormat = (typeof fileFormats)[number];

/** In which of them each kind of watched file is written. */
export const formatOfKind: Readonly<Record<FileKind, FileFormat>> = {
  "server-conf": "server-conf",
  "auto-conf": "server-conf",
  "recovery-conf": "recovery-conf",
  hba: "hba",
  ident: "other",
  "ha-module": "ha-module",
  "pool-conf": "pool-conf",
  "pool-hba": "hba",
  "pool-passwd": "password-hashes",
  "pcp-conf": "password-hashes",
  cron: "cron",
  pass: "pg-pass",
  signal: "other",
};

/** The first pattern that fits the path decides. */
const patterns: readonly (readonly [RegExp, FileFormat])[] = [
  [/(?:^|\/)recovery\.(?:conf|done)$/, "recovery-conf"],
  [/(?:^|\/)HAmodule\.conf$/, "ha-module"],
  [/(?:^|\/)[^/]*_?hba\.conf$/, "hba"],
  [/(?:^|\/)(?:kingbasecluster|pgpool)\.conf$/, "pool-conf"],
  [/(?:^|\/)(?:kingbasecluster|pgpool)_status$/, "pool-status"],
  [/(?:^|\/)(?:pcp\.conf|cluster_passwd|pool_passwd)$/, "password-hashes"],
  [/(?:^|\/)\.?pcppass$/, "pcp-pass"],
  [/(?:^|\/)\.?[^/]*(?:pgpass|kbpass)[^/]*$/, "pg-pass"],
  [/(?:\.(?:key|pem)|pool_?key)$/, "secret"],
  [/(?:^|\/)(?:KINGBASECRON|crontab)$/, "cron"],
  [/(?:^|\/)cron\.[a-z]+\/[^/]+$/, "cron"],
  [/(?:^|\/)[^/]*ident\.conf$/, "other"],
  [/\.conf$/, "server-conf"],
];

/** By the file's name: `/data/kingbase.auto.conf` is `server-conf`. */
export function formatOfPath(path: string): FileFormat {
  return patterns.find(([pattern]) => pattern.test(path))?.[1] ?? "other";
}
