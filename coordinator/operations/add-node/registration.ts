import { isSameAddress } from "#shared/domain/addresses.ts";
import type { NodeDeclaration } from "#shared/domain/cluster.ts";
import type { BackendRow } from "#shared/domain/commands.ts";
import {
  backends,
  type BackendRow as ConfRow,
  parsePoolConf,
} from "#shared/config-files/pool-conf.ts";
import { type KnownNode, type Registration, textAt } from "./situation.ts";

/** Rows in the configuration files of the pools that we can read. */
export function configuredRows(manager: KnownNode): readonly ConfRow[] | null {
  const file = manager.declared.pool?.configFile;
  const text = file === undefined ? null : textAt(manager.facts, file);
  return text === null ? null : backends(parsePoolConf(text, file));
}

/**
 * The number of the new node's row: the one that it has already where it was prepared, or that running pools still
 * have from an undone registration; else the highest that any file, running pool or declaration knows, plus one.
 * Numbers are never used for another backend: they index the pool's status file.
 */
export function nextBackendId(existing: readonly KnownNode[], node: NodeDeclaration): number {
  const managers = existing.filter((known) => known.declared.pool !== null);
  const prepared = managers
    .flatMap((manager) => configuredRows(manager) ?? [])
    .find((row) => isAt(node, row));
  const known = prepared?.id ?? leftOverId(managers, node);
  if (known !== null) return known;
  const ids = [
    ...existing.flatMap((other) => other.declared.backendId ?? []),
    ...managers.flatMap((manager) => (configuredRows(manager) ?? []).map((row) => row.id)),
    ...managers.flatMap((manager) => manager.facts?.pool?.rows.map((row) => row.id) ?? []),
  ];
  return Math.max(-1, ...ids) + 1;
}

/** A pool forgets a row only at its restart: the same place gets it again, if all pools mean the same by its number. */
function leftOverId(managers: readonly KnownNode[], node: NodeDeclaration): number | null {
  const loaded = managers.flatMap((manager) => manager.facts?.pool?.rows ?? []);
  const [id, ...others] = new Set(loaded.filter((row) => isAt(node, row)).map((row) => row.id));
  if (id === undefined || others.length > 0) return null;
  const configured = managers.flatMap((manager) => configuredRows(manager) ?? []);
  const isOthers = [...loaded, ...configured].some((row) => row.id === id && !isAt(node, row));
  return isOthers ? null : id;
}

function isAt(
  node: NodeDeclaration,
  row: { readonly hostname: string; readonly port: number | null },
): boolean {
  return isSameAddress(row.hostname, node.address) && row.port === node.port;
}

/**
 * The least disturbing way that the pools allow, by what they run with now: a row that every one of them has in
 * its file and loaded is only attached; else it is appended, taken in by reload, and attached.
 */
export function registrationOf(
  managers: readonly KnownNode[],
  like: KnownNode,
  node: NodeDeclaration,
  id: number,
): Registration {
  const row: BackendRow = {
    id,
    hostname: node.address,
    port: node.port,
    weight: weightLike(managers, like),
    dataDirectory: node.paths.dataDirectory,
    applicationName: node.name,
  };
  const isLoaded = (manager: KnownNode): boolean =>
    manager.facts?.pool?.rows.some(
      (known) => known.id === id && isAt(node, known) && known.status !== "unused",
    ) ?? false;
  // Loaded alone is not enough: one that its file no longer has would be lost with the pool's next restart.
  const isInFile = (manager: KnownNode): boolean =>
    configuredRows(manager)?.some((known) => known.id === id) ?? false;
  const everywhere =
    managers.length > 0 && managers.every((manager) => isLoaded(manager) && isInFile(manager));
  return { way: everywhere ? "attach" : "reload-and-attach", row };
}

/** Weights of a running pool are shares of the sum; the file has the number that was meant. */
function weightLike(managers: readonly KnownNode[], like: KnownNode): number {
  for (const manager of managers) {
    const rows = configuredRows(manager) ?? [];
    const found = rows.find((row) => row.id === like.declared.backendId);
    if (found !== undefined) return found.weight;
  }
  return 1;
}

/** Sessions through the pools that a registration touches. */
export function openPoolSessions(managers: readonly KnownNode[]): number {
  return managers.reduce((sum, manager) => sum + (manager.facts?.pool?.clientSessions ?? 0), 0);
}
