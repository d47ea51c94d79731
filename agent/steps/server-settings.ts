import { recoveryTargets } from "#shared/config-files/recovery-conf.ts";
import {
  commentParameter,
  parseServerConf,
  removeParameter,
  setParameter,
} from "#shared/config-files/server-conf.ts";

export type WantedSetting = { readonly name: string; readonly value: string | null };

/** Settings of the node that was copied: as its own they would lead this one to the wrong place or name. */
const sourceOnly = [
  "primary_conninfo",
  "primary_slot_name",
  "synchronous_standby_names",
  "cluster_name",
  ...recoveryTargets,
  "promote_trigger_file",
];

/**
 * The copied *.auto.conf without what belongs to its source, and without what this node's own file is to decide
 * (it would be overruled here). `standby` is what a server that has a standby.signal reads.
 */
export function autoConfFor(
  text: string,
  settings: readonly WantedSetting[],
  standby: readonly (readonly [string, string])[],
): string {
  let result = text;
  const foreign = [...sourceOnly, ...settings.map(({ name }) => name)];
  for (const name of foreign) result = removeParameter(result, name);
  for (const [name, value] of standby) result = setParameter(result, name, value);
  return result;
}

/** The server's own file with these settings in force; null comments a setting out, as the product's scripts do. */
export function serverConfFor(text: string, settings: readonly WantedSetting[]): string {
  let result = text;
  for (const { name, value } of settings) {
    result = value === null ? commentParameter(result, name) : setParameter(result, name, value);
  }
  return result;
}

/** `standby` must stand in the vendor's copy of the file, or its scripts take it for damaged (B0290). */
export function hasSetting(text: string, name: string): boolean {
  return parseServerConf(text).entries.some((entry) => !entry.commentedOut && entry.name === name);
}
