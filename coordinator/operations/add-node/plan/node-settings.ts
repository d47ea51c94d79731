import { overlay, parseServerConf } from "#shared/config-files/server-conf.ts";
import { isSameAddress } from "#shared/domain/addresses.ts";
import { type Relocation, relocateInText, relocationBetween } from "../relocate.ts";
import { type KnownNode, type Situation, textAt } from "../situation.ts";

export type NodeSetting = { readonly name: string; readonly value: string | null };

/** Written for the new node's own standby files, never carried over from the source. */
const standbyOnly: ReadonlySet<string> = new Set([
  "primary_conninfo",
  "primary_slot_name",
  "promote_trigger_file",
  "trigger_file",
  "standby_mode",
]);

/** Active in a file and said to be somewhere else on the new node. */
const places: ReadonlySet<string> = new Set([
  "data_directory",
  "config_file",
  "hba_file",
  "ident_file",
]);

/**
 * What must differ from the source's configuration on the new node: its port, addresses and folders. The list of
 * synchronous standbys is commented out: a standby ignores it, but it would count from a promotion on.
 */
export function nodeSettings(situation: Situation): readonly NodeSetting[] {
  const { source, newcomer } = situation;
  if (source === null) return [];
  const node = newcomer.declared;
  const relocation = relocationBetween(source.declared.paths, node.paths);
  const active = activeSettings(source, situation.product.files.autoConf);
  const settings: NodeSetting[] = [{ name: "port", value: String(node.port) }];
  for (const [name, value] of active) {
    if (name === "port" || standbyOnly.has(name) || name.startsWith("recovery_target")) continue;
    if (name === "synchronous_standby_names") {
      settings.push({ name, value: null });
      continue;
    }
    const wanted = places.has(name)
      ? placeOf(name, situation)
      : valueOnNewcomer(name, value, source, situation, relocation);
    if (wanted !== value) settings.push({ name, value: wanted });
  }
  return settings;
}

/** What the source's own files set, by name: the second one wins. Secrets in them are masked. */
export function activeSettings(source: KnownNode, autoConf: string): ReadonlyMap<string, string> {
  const { configFile, dataDirectory } = source.declared.paths;
  const texts = [configFile, `${dataDirectory}/${autoConf}`].flatMap(
    (path) => textAt(source.facts, path) ?? [],
  );
  const entries = overlay(texts.map((text) => parseServerConf(text)));
  return new Map([...entries].map(([name, entry]) => [name, entry.value]));
}

function placeOf(name: string, { newcomer }: Situation): string {
  const { paths } = newcomer.declared;
  switch (name) {
    case "data_directory":
      return paths.dataDirectory;
    case "hba_file":
      return paths.hbaFile;
    case "ident_file":
      return paths.identFile;
    default:
      return paths.configFile;
  }
}

function valueOnNewcomer(
  name: string,
  value: string,
  source: KnownNode,
  situation: Situation,
  relocation: Relocation,
): string {
  if (name === "listen_addresses") {
    const own = source.declared.address;
    const { address } = situation.newcomer.declared;
    return value
      .split(",")
      .map((part) => (isSameAddress(part.trim(), own) ? address : part.trim()))
      .join(value.includes(", ") ? ", " : ",");
  }
  // A server's own name for itself, where the site gives each one its node's.
  if (name === "cluster_name" && value === source.declared.name) {
    return situation.newcomer.declared.name;
  }
  return relocateInText(value, relocation);
}
