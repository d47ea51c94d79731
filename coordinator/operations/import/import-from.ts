import { parseIp } from "#shared/config-files/ip-address.ts";
import { haArray, haText } from "#shared/config-files/ha-module.ts";
import {
  callsOurExecutor,
  failoverExecutor,
  poolSettings,
} from "#shared/config-files/pool-settings.ts";
import { poolText } from "#shared/config-files/pool-conf.ts";
import { bareAddress } from "#shared/domain/addresses.ts";
import type { ClusterDeclaration, NodeDeclaration } from "#shared/domain/cluster.ts";
import { Address, Name } from "#shared/domain/names.ts";
import { Failure } from "#shared/errors.ts";
import { productOf } from "#shared/products/product.ts";
import { printClusterYaml } from "../../cluster-file/print-cluster.ts";
import {
  conninfoOf,
  haModuleOf,
  type ImportedNode,
  nodeFromFacts,
  poolConfOf,
} from "./node-from-facts.ts";

export type Imported = {
  readonly declaration: ClusterDeclaration;
  readonly yaml: string;
  readonly warnings: readonly string[];
};

/**
 * A declaration from what the agents of a running cluster see. Changes nothing, and says where it had to choose.
 * @throws Failure CONFIG_INVALID when the hosts can't be one cluster.
 */
export function importFrom(name: string, nodes: readonly ImportedNode[]): Imported {
  const [first] = nodes;
  if (first === undefined) throw invalid("there is no node to import from");
  const products = new Set(nodes.map(({ facts }) => facts.agent.product));
  if (products.size > 1)
    throw invalid(`the agents manage different products: ${[...products].join(", ")}`);
  assertReadable(nodes);
  assertOneCluster(nodes);
  const product = productOf(first.facts.agent.product);
  const warnings: string[] = [];
  const warn = (message: string): void => {
    if (!warnings.includes(message)) warnings.push(message);
  };
  const virtualAddresses = virtualAddressesOf(nodes);
  const bare = [virtualAddresses.database, virtualAddresses.pool].flatMap((address) =>
    address === null ? [] : [bareAddress(address)],
  );
  const declared = nodes.map((node) => nodeFromFacts(node, nodes, product, bare, warn));
  const order = (id: number | null): number => id ?? Number.MAX_SAFE_INTEGER;
  const pools = new Set(
    nodes.map(({ facts }) => facts.agent.poolKind).filter((kind) => kind !== "none"),
  );
  const [pool = "none"] = pools;
  if (pools.size > 1) throw invalid(`the agents name different pools: ${[...pools].join(", ")}`);
  const declaration: ClusterDeclaration = {
    name: Name.parse(name),
    product: product.id,
    pool,
    database: databaseOf(nodes, warn),
    virtualAddresses,
    trustAddresses: trustOf(nodes),
    nodes: numbered(declared, pool !== "none").toSorted(
      (a, b) => order(a.backendId) - order(b.backendId) || (a.name < b.name ? -1 : 1),
    ),
  };
  warnAboutAbsent(nodes, declaration, warn);
  warnAboutExecutors(nodes, warn);
  return { declaration, yaml: printClusterYaml(declaration, warnings), warnings };
}

/** A node without a row in any pool gets the next number: it is the one that a row for it would take. */
function numbered(nodes: readonly NodeDeclaration[], hasPool: boolean): readonly NodeDeclaration[] {
  let next = Math.max(-1, ...nodes.flatMap(({ backendId }) => backendId ?? []));
  return nodes.map((node) => {
    if (!hasPool) return { ...node, backendId: null };
    if (node.backendId !== null) return node;
    next += 1;
    return { ...node, backendId: next };
  });
}

/** What only SQL tells would have to be guessed for a database that does not answer. */
function assertReadable(nodes: readonly ImportedNode[]): void {
  const silent = nodes.filter(({ facts }) => facts.database.status !== "running");
  const [first] = silent;
  if (first === undefined) return;
  const { status, problem } = first.facts.database;
  const why = problem === null ? "" : ` (${problem})`;
  throw new Failure(
    "DATABASE_UNREACHABLE",
    `Can't import: the database of ${first.name} is ${status}${why}.`,
    {
      hint: `Start it, see that the agent's own login in agent.yaml works, or name the other nodes: --node A --node B.`,
      evidence: silent.map(
        ({ name, facts }) => `${name}: ${facts.database.problem ?? facts.database.status}`,
      ),
    },
  );
}

function assertOneCluster(nodes: readonly ImportedNode[]): void {
  const identifiers = new Map<string, string[]>();
  for (const { name, facts } of nodes) {
    const id = facts.database.systemIdentifier;
    if (id !== null) identifiers.set(id, [...(identifiers.get(id) ?? []), name]);
  }
  if (identifiers.size > 1) {
    const groups = [...identifiers].map(([id, names]) => `${names.join(", ")} (${id})`).join("; ");
    throw invalid(
      `the databases belong to different clusters: ${groups}`,
      "Name the nodes of one: --node A --node B.",
    );
  }
  const primaries = nodes.filter(({ facts }) => facts.database.role === "primary");
  if (primaries.length > 1) {
    throw invalid(
      `${primaries.map(({ name }) => name).join(" and ")} are both primaries`,
      "Stop the wrong one first.",
    );
  }
}

function databaseOf(
  nodes: readonly ImportedNode[],
  warn: (message: string) => void,
): ClusterDeclaration["database"] {
  const [first] = nodes;
  const { defaults } = productOf(first?.facts.agent.product ?? "postgresql");
  const module = nodes.flatMap(({ facts }) => haModuleOf(facts) ?? [])[0] ?? null;
  const replicationUser = nodes.flatMap(({ facts }) => conninfoOf(facts)?.get("user") ?? [])[0];
  if (replicationUser === undefined) {
    warn(
      `No standby says as whom it replicates: replicationUser is the default ${defaults.replicationUser}.`,
    );
  }
  const checks = nodes.flatMap(({ facts }) => {
    const conf = poolConfOf(facts);
    return conf === null ? [] : (poolText(conf, "sr_check_database") ?? []);
  });
  const existing = new Set(
    nodes.flatMap(({ facts }) => facts.database.databases.map((d) => d.name)),
  );
  const wished = [
    module === null ? null : haText(module, "KB_DATANAME"),
    defaults.database,
    ...checks,
  ].filter((name) => name !== null);
  const name =
    wished.find((candidate) => existing.has(candidate)) ?? wished[0] ?? defaults.database;
  const scripts = module === null ? null : haText(module, "KB_USER");
  if (scripts !== null && scripts !== defaults.maintenanceUser) {
    warn(
      `HAmodule.conf has KB_USER="${scripts}"; maintenanceUser is ${defaults.maintenanceUser}. If the agents log in as ${scripts}, change it.`,
    );
  }
  return {
    name,
    replicationUser: replicationUser ?? defaults.replicationUser,
    maintenanceUser: defaults.maintenanceUser,
  };
}

function virtualAddressesOf(
  nodes: readonly ImportedNode[],
): ClusterDeclaration["virtualAddresses"] {
  const modules = nodes.flatMap(({ facts }) => haModuleOf(facts) ?? []);
  const of = (key: string): string | null =>
    modules.map((module) => haText(module, key)).find((value) => value !== null && value !== "") ??
    null;
  const delegated = nodes.flatMap(({ facts }) => {
    const conf = poolConfOf(facts);
    if (conf === null) return [];
    const { watchdog } = poolSettings(conf);
    return watchdog.enabled ? (watchdog.delegateIp ?? []) : [];
  });
  const database = of("KB_VIP");
  const pool = of("KB_POOL_VIP") ?? delegated[0] ?? null;
  return {
    database: database !== null && parseIp(bareAddress(database)) !== null ? database : null,
    pool: pool !== null && parseIp(bareAddress(pool)) !== null ? bareAddress(pool) : null,
  };
}

function trustOf(nodes: readonly ImportedNode[]): string[] {
  const found = nodes.flatMap(({ facts }) => {
    const module = haModuleOf(facts);
    const conf = poolConfOf(facts);
    return [
      ...((module === null ? null : haText(module, "KB_GATEWAY_IP"))?.split(",") ?? []),
      ...(conf === null ? [] : poolSettings(conf).watchdog.trustedServers),
    ].map((address) => address.trim());
  });
  return [...new Set(found)].filter((address) => Address.safeParse(address).success);
}

/** Only one may be in charge of a lost primary: whose it is has to be known. */
function warnAboutExecutors(nodes: readonly ImportedNode[], warn: (message: string) => void): void {
  for (const { name, facts } of nodes) {
    const conf = poolConfOf(facts);
    const command = conf === null ? null : poolSettings(conf).failoverCommand;
    if (command === null || command.trim() === "" || callsOurExecutor(command)) continue;
    warn(`${failoverExecutor(command)} is in charge of a lost primary on ${name}: Castellan promotes nobody by itself there, and refuses a switchover (docs/failover.md)`); // prettier-ignore
  }
}

/** Hosts that the cluster's own files name and that no agent was imported for. */
function warnAboutAbsent(
  nodes: readonly ImportedNode[],
  declaration: ClusterDeclaration,
  warn: (message: string) => void,
): void {
  const known = new Set(declaration.nodes.map(({ address }) => address));
  const named = nodes.flatMap(({ facts }) => {
    const module = haModuleOf(facts);
    return module === null ? [] : (haArray(module, "KB_ALL_IP") ?? []);
  });
  for (const address of new Set(named)) {
    if (!known.has(address)) warn(`HAmodule.conf names ${address}, but no agent there has joined.`);
  }
  if (!nodes.some(({ facts }) => facts.database.role === "primary")) {
    warn("No node says that it is the primary: is its agent joined and its database running?");
  }
}

function invalid(message: string, hint?: string): Failure {
  return new Failure(
    "CONFIG_INVALID",
    `Can't import: ${message}.`,
    hint === undefined ? {} : { hint },
  );
}
