import { type HbaConf, parseHba } from "#shared/config-files/hba.ts";
import { type HbaOptions, joinsLines } from "#shared/config-files/hba-access.ts";
import { firstMatch } from "#shared/config-files/hba-match.ts";
import { parseIp } from "#shared/config-files/ip-address.ts";
import { haText, parseHaModule } from "#shared/config-files/ha-module.ts";
import { parsePoolConf } from "#shared/config-files/pool-conf.ts";
import { poolSettings } from "#shared/config-files/pool-settings.ts";
import { bareAddress, singleAddressRange } from "#shared/domain/addresses.ts";
import type { NodeDeclaration } from "#shared/domain/cluster.ts";
import type { HbaRule } from "#shared/domain/commands.ts";
import { type KnownNode, type Situation, textAt } from "./situation.ts";

/** Every client of a host shows as this address where all hosts are one. */
const oneHostClient = "127.0.0.1";

/** The address that a server sees when this node connects to it. */
export function clientAddressOf(situation: Situation, node: NodeDeclaration): string {
  return situation.isOneHost ? oneHostClient : node.address;
}

/** What the existing nodes must let in: replication, our own role and the vendor's scripts from the new node. */
export function rulesForNewcomer(situation: Situation): readonly HbaRule[] {
  const client = clientAddressOf(situation, situation.newcomer.declared);
  return rulesFor(situation, client, ownUsers(situation));
}

/**
 * What the new node must let in, since any node may be its upstream, its standby or its pool one day: every node,
 * itself, and the virtual addresses (a connection may leave with one of them as its source).
 */
export function rulesOfNewcomer(situation: Situation): readonly HbaRule[] {
  return clientsOfNewcomer(situation).flatMap(({ address, users }) =>
    rulesFor(situation, address, users),
  );
}

/** Who will connect to the new node, and as which roles beside the one for replication. */
function clientsOfNewcomer(
  situation: Situation,
): readonly { readonly address: string; readonly users: readonly string[] }[] {
  const { virtualAddresses } = situation.declaration;
  const own = ownUsers(situation);
  const withPool = [...new Set([...own, ...poolUsers(situation)])];
  const nodes = [...situation.existing, situation.newcomer].map((node) => ({
    address: clientAddressOf(situation, node.declared),
    users: node.declared.pool === null ? own : withPool,
  }));
  const virtual = [virtualAddresses.database, virtualAddresses.pool].flatMap((address) =>
    address === null || situation.isOneHost
      ? []
      : [{ address: bareAddress(address), users: withPool }],
  );
  const byAddress = new Map<string, readonly string[]>();
  for (const { address, users } of [...nodes, ...virtual]) {
    byAddress.set(address, [...new Set([...(byAddress.get(address) ?? []), ...users])]);
  }
  return [...byAddress].map(([address, users]) => ({ address, users }));
}

function rulesFor(
  situation: Situation,
  client: string,
  users: readonly string[],
): readonly HbaRule[] {
  const address = singleAddressRange(client);
  if (address === null) return [];
  const method = methodOf(situation);
  const { replicationUser } = situation.declaration.database;
  const rule = (database: string, user: string): HbaRule => ({
    type: "host",
    database,
    user,
    address,
    method,
  });
  return [rule("replication", replicationUser), ...users.map((user) => rule("all", user))];
}

/** Our own role, and that of the vendor's scripts. */
export function ownUsers(
  situation: Pick<Situation, "declaration" | "product" | "like">,
): readonly string[] {
  const users = [situation.declaration.database.maintenanceUser];
  const { vendor } = situation.product;
  if (vendor !== null && situation.like !== null) {
    const [file] = vendor.haModuleFiles(situation.like.declared.paths, null);
    const text = textAt(situation.like.facts, file ?? "");
    const user = text === null ? null : haText(parseHaModule(text), "KB_USER");
    if (user !== null) users.push(user);
  }
  return plainNames(users);
}

/** Whom the pools log in as to look after their backends. */
function poolUsers(situation: Situation): readonly string[] {
  const users = situation.managers.flatMap((manager) => {
    const text = textAt(manager.facts, manager.declared.pool?.configFile ?? "");
    if (text === null) return [];
    const { srCheckUser, healthCheckUser } = poolSettings(parsePoolConf(text));
    return [srCheckUser, healthCheckUser].flatMap((user) => user ?? []);
  });
  return plainNames(users);
}

/** What can stand in an hba line without quotes. */
function plainNames(users: readonly string[]): readonly string[] {
  return [...new Set(users)].filter((user) => /^[^\s"#]+$/.test(user));
}

/**
 * The method that the cluster already uses for the node that the new one is like, where it asks for a password; else
 * md5, which servers from 10 on also answer with SCRAM where the password is stored so (PostgreSQL docs).
 */
function methodOf(situation: Situation): HbaRule["method"] {
  const { primary, like } = situation;
  if (primary === null || like === null) return "md5";
  const conf = hbaOf(primary);
  const address = clientAddressOf(situation, like.declared);
  if (conf === null || parseIp(address) === null) return "md5";
  const match = firstMatch(conf, {
    type: "host",
    database: "",
    user: situation.declaration.database.replicationUser,
    address,
    replication: true,
  });
  const method = match?.rule?.method;
  return method === "scram-sha-256" ? method : "md5";
}

export function hbaOf(node: KnownNode): HbaConf | null {
  const file = node.declared.paths.hbaFile;
  const text = textAt(node.facts, file);
  if (text === null) return null;
  return parseHba(text, { file, ...hbaOptionsOf(node) });
}

export function hbaOptionsOf(node: KnownNode): HbaOptions {
  return { continuations: joinsLines(node.facts?.database.versionNumber ?? 0) };
}
