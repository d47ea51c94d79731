import { type ConfigChange, shownValue } from "./config-change.ts";
import { backendIdOf, backends, type BackendRow, type PoolConf } from "./pool-conf.ts";

/**
 * Whole rows that came, went or got another id, and those ids: their single settings need no mention any more. A row is
 * the same backend where host, port and directory are.
 */
export function backendChanges(
  before: PoolConf,
  after: PoolConf,
): { readonly changes: readonly ConfigChange[]; readonly ids: ReadonlySet<number> } {
  const old = rowsOf(before);
  const current = rowsOf(after);
  const changes: ConfigChange[] = [];
  const ids = new Set<number>();
  const taken = new Set<number>();
  const commentedBefore = commentedIds(before);
  const commentedAfter = commentedIds(after);
  for (const [id, row] of old.byId) {
    const same = current.byId.get(id);
    if (same !== undefined && identityOf(same) === identityOf(row)) continue;
    const newId = current.byIdentity.get(identityOf(row));
    if (newId === undefined || old.byIdentity.get(identityOf(row)) !== id) continue;
    taken.add(newId);
    ids.add(id).add(newId);
    changes.push({
      kind: "renumbered",
      subject: `backend ${addressOf(row)}`,
      from: String(id),
      to: String(newId),
      fromLine: lineOf(before, id),
      toLine: lineOf(after, newId),
    });
  }
  for (const [id, row] of old.byId) {
    if (current.byId.has(id) && !taken.has(id)) continue;
    if (ids.has(id) && current.byIdentity.has(identityOf(row))) continue;
    ids.add(id);
    const place = { fromLine: lineOf(before, id), toLine: null };
    const kind = commentedAfter.has(id) ? "commented-out" : "removed";
    changes.push({ kind, subject: `backend ${id}`, from: printRow(row), to: null, ...place });
  }
  for (const [id, row] of current.byId) {
    if (taken.has(id) || (old.byId.has(id) && !ids.has(id))) continue;
    ids.add(id);
    const place = { fromLine: null, toLine: lineOf(after, id) };
    const kind = commentedBefore.has(id) ? "commented-in" : "added";
    changes.push({ kind, subject: `backend ${id}`, from: null, to: printRow(row), ...place });
  }
  return { changes, ids };
}

type Rows = {
  readonly byId: ReadonlyMap<number, BackendRow>;
  /** The first id of each. */
  readonly byIdentity: ReadonlyMap<string, number>;
};

function rowsOf(pool: PoolConf): Rows {
  const byId = new Map<number, BackendRow>();
  const byIdentity = new Map<string, number>();
  for (const row of backends(pool)) {
    byId.set(row.id, row);
    if (!byIdentity.has(identityOf(row))) byIdentity.set(identityOf(row), row.id);
  }
  return { byId, byIdentity };
}

function identityOf({ hostname, port, dataDirectory }: BackendRow): string {
  return JSON.stringify([hostname, port, dataDirectory]);
}

function addressOf({ hostname, port }: BackendRow): string {
  return shownValue(port === null ? hostname : `${hostname}:${port}`);
}

function printRow(row: BackendRow): string {
  const directory = row.dataDirectory === null ? [] : [shownValue(row.dataDirectory)];
  return [addressOf(row), ...directory, `weight ${row.weight}`].join(", ");
}

function lineOf(pool: PoolConf, id: number): number | null {
  return pool.settings.get(`backend_hostname${id}`)?.line ?? null;
}

function commentedIds({ conf }: PoolConf): ReadonlySet<number> {
  const ids = new Set<number>();
  for (const { commentedOut, name } of conf.entries) {
    const id = backendIdOf(name);
    if (commentedOut && id !== null && name.startsWith("backend_hostname")) ids.add(id);
  }
  return ids;
}
