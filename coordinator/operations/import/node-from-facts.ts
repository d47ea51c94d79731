import { parseConninfo } from "#shared/config-files/conninfo.ts";
import { haText, parseHaModule, type HaModule } from "#shared/config-files/ha-module.ts";
import { parseIp } from "#shared/config-files/ip-address.ts";
import { backends, parsePoolConf, type PoolConf } from "#shared/config-files/pool-conf.ts";
import { poolSettings } from "#shared/config-files/pool-settings.ts";
import { parseRecoveryConf, standbySettings } from "#shared/config-files/recovery-conf.ts";
import { settingsInFiles } from "#shared/config-files/server-conf-files.ts";
import { isSameAddress } from "#shared/domain/addresses.ts";
import type { NodeDeclaration, NodePaths, PoolPaths } from "#shared/domain/cluster.ts";
import type { FileFormat, NodeFacts } from "#shared/domain/facts.ts";
import { SlotName, slotNameFor } from "#shared/domain/names.ts";
import type { Product } from "#shared/products/product.ts";

/** One agent's facts, with what its files say where facts alone don't. */
export type ImportedNode = { readonly name: string; readonly facts: NodeFacts };

export type Warn = (message: string) => void;

/** A node as its own host shows it. Every choice that is a guess is said. */
export function nodeFromFacts(
  node: ImportedNode,
  all: readonly ImportedNode[],
  product: Product,
  virtualAddresses: readonly string[],
  warn: Warn,
): NodeDeclaration {
  const { name, facts } = node;
  const address = addressOf(node, all, virtualAddresses, warn);
  const port = Number(facts.database.settings["port"] ?? facts.agent.databasePort);
  const nic = facts.host.addresses.find((row) => isSameAddress(row.address, address))?.nic ?? null;
  const module = haModuleOf(facts);
  const told = module === null ? null : haText(module, "NODE_NAME");
  if (told !== null && told !== name) {
    warn(`${name}: its HAmodule.conf says NODE_NAME="${told}", the agent was joined as ${name}.`);
  }
  return {
    name,
    address,
    port,
    slot: slotOf(node, warn),
    // Only virtual addresses need it.
    nic: virtualAddresses.length === 0 || nic === "lo" ? null : nic,
    paths: pathsOf(facts, product),
    backendId: backendOf(all, address, port, name, warn),
    pool: facts.agent.poolKind === "none" ? null : poolOf(facts, product),
  };
}

/**
 * What the vendor's file says, else what the server listens on, what standbys follow, what a pool's row has, and at
 * last the host's first address that is neither virtual nor its own loop.
 */
function addressOf(
  { name, facts }: ImportedNode,
  all: readonly ImportedNode[],
  virtualAddresses: readonly string[],
  warn: Warn,
): string {
  const own = facts.host.addresses.map((row) => row.address);
  const isOwn = (address: string): boolean =>
    address.startsWith("127.") || own.some((other) => isSameAddress(other, address));
  const module = haModuleOf(facts);
  const local = module === null ? null : haText(module, "KB_LOCALHOST_IP");
  const listening = (facts.database.settings["listen_addresses"] ?? "")
    .split(",")
    .map((part) => part.trim())
    .filter((part) => parseIp(part) !== null && part !== "0.0.0.0" && part !== "127.0.0.1");
  const port = facts.agent.databasePort;
  const seen = [
    ...all.flatMap((other) => upstreamHost(other.facts) ?? []),
    ...all.flatMap((other) =>
      backends(poolConfOf(other.facts) ?? parsePoolConf(""))
        .filter((row) => row.port === port)
        .map((row) => row.hostname),
    ),
  ].filter((address) => parseIp(address) !== null && !address.startsWith("127.") && isOwn(address));
  const candidates = [...(local === null ? [] : [local]), ...listening, ...seen].filter(
    (address) => !virtualAddresses.some((virtual) => isSameAddress(virtual, address)),
  );
  const [found] = candidates;
  if (found !== undefined) return found;
  const fallback = facts.host.addresses.find(
    (row) =>
      row.family === "ipv4" &&
      !row.address.startsWith("127.") &&
      !virtualAddresses.some((virtual) => isSameAddress(virtual, row.address)),
  );
  const address = fallback?.address ?? "127.0.0.1";
  warn(
    `${name}: its address ${address} is a guess (the host's first one): correct it if it is another.`,
  );
  return address;
}

/** The slot it streams through, or would: of a primary from the vendor's template, else by the usual name. */
function slotOf({ name, facts }: ImportedNode, warn: Warn): string {
  const candidates = [
    facts.database.receiver?.slot ?? null,
    facts.database.settings["primary_slot_name"] ?? null,
    ...recoveryTexts(facts).map((text) => parseRecoveryConf(text).standby.primarySlotName),
  ];
  const found = candidates.find((slot) => slot !== null && SlotName.safeParse(slot).success);
  if (found != null) return found;
  const usual = slotNameFor(name);
  if (facts.database.role === "standby") {
    warn(`${name}: it streams through no slot; ${usual} is declared, make it and use it.`);
  }
  return usual;
}

function backendOf(
  all: readonly ImportedNode[],
  address: string,
  port: number,
  name: string,
  warn: Warn,
): number | null {
  const confs = all.flatMap((node) => poolConfOf(node.facts) ?? []);
  if (confs.length === 0) return null;
  for (const conf of confs) {
    const row = backends(conf).find(
      (candidate) =>
        isSameAddress(candidate.hostname, address) && (candidate.port ?? port) === port,
    );
    if (row !== undefined) return row.id;
  }
  warn(`${name}: no pool has a row for ${address}:${port}; give it one, then correct "backend".`);
  return null;
}

function pathsOf(facts: NodeFacts, product: Product): NodePaths {
  const { root, binDirectory, dataDirectory } = facts.agent;
  const { database } = facts;
  return {
    root,
    binDirectory,
    dataDirectory: database.dataDirectory ?? dataDirectory,
    configFile:
      database.configFile ??
      pathOf(facts, "server-conf") ??
      `${dataDirectory}/${product.files.conf}`,
    hbaFile: database.hbaFile ?? pathOf(facts, "hba") ?? `${dataDirectory}/${product.files.hba}`,
    identFile:
      database.identFile ?? pathOf(facts, "ident") ?? `${dataDirectory}/${product.files.ident}`,
  };
}

function poolOf(facts: NodeFacts, product: Product): PoolPaths {
  const layout = product.poolLayout(facts.agent.root);
  const conf = poolConfOf(facts);
  const settings = conf === null ? null : poolSettings(conf);
  const configFile = pathOf(facts, "pool-conf") ?? layout.configFile;
  // The second copy lies in the pool's own folder; the first is the data node's.
  const copies = facts.files.filter((file) => file.format === "ha-module").map((file) => file.path);
  return {
    configFile,
    haModuleFile: layout.haModuleFile === null ? null : (copies[1] ?? layout.haModuleFile),
    pcpPort: settings?.pcpPort ?? layout.pcpPort,
    port: settings?.port ?? layout.port,
    socketDirectory: settings?.socketDir ?? layout.socketDirectory,
  };
}

export function haModuleOf(facts: NodeFacts): HaModule | null {
  const text = textOf(facts, "ha-module");
  return text === null ? null : parseHaModule(text);
}

export function poolConfOf(facts: NodeFacts): PoolConf | null {
  const text = textOf(facts, "pool-conf");
  return text === null ? null : parsePoolConf(text);
}

/** primary_conninfo wherever this node keeps it: what its receiver uses, or its files. */
export function conninfoOf(facts: NodeFacts): ReadonlyMap<string, string> | null {
  const live = facts.database.receiver?.conninfo;
  if (live !== undefined && live !== "") return parseConninfo(live).values;
  for (const text of recoveryTexts(facts)) {
    const found = parseRecoveryConf(text).standby.primaryConninfo;
    if (found !== null) return found.values;
  }
  const configFile = facts.database.configFile ?? pathOf(facts, "server-conf") ?? "";
  return standbySettings(settingsInFiles(configFile, facts.files)).primaryConninfo?.values ?? null;
}

function upstreamHost(facts: NodeFacts): string | null {
  return conninfoOf(facts)?.get("host") ?? null;
}

function recoveryTexts(facts: NodeFacts): readonly string[] {
  return facts.files
    .filter((file) => file.format === "recovery-conf" && file.state === "present")
    .flatMap((file) => file.maskedText ?? []);
}

function textOf(facts: NodeFacts, format: FileFormat): string | null {
  const file = facts.files.find(
    (candidate) => candidate.format === format && candidate.state === "present",
  );
  return file?.maskedText ?? null;
}

function pathOf(facts: NodeFacts, format: FileFormat): string | null {
  return facts.files.find((file) => file.format === format)?.path ?? null;
}
