import { setTimeout as sleep } from "node:timers/promises";
import type { Castellan } from "./castellan.ts";
import type { TestCluster } from "./cluster.ts";
import type { Host } from "./host.ts";
import { fileEntries } from "./snapshot/files.ts";
import { journalEntries } from "./snapshot/journal.ts";
import { compareLines, withoutLoadedRow, type LoadedRow } from "./snapshot/compare.ts";
import { networkEntries } from "./snapshot/network.ts";
import { poolEntries } from "./snapshot/pools.ts";
import { longLived, processesOf, processEntries } from "./snapshot/processes.ts";
import { serverEntries } from "./snapshot/servers.ts";
import { stateEntries } from "./snapshot/agent-state.ts";

/**
 * Everything that a procedure could leave behind, by host, as "kind name" -> what it is like. Plain data with sorted
 * keys: two of them compare with `differences`, and one can be written down as JSON. What servers, pools and agents
 * change by themselves (relation files, WAL, logs' contents, pids) is not in it.
 */
export type Snapshot = Readonly<Record<string, Entries>>;
type Entries = Readonly<Record<string, string>>;

/** Copes with hosts that are powered off and with servers, pools or a coordinator that don't answer: it says so. */
export async function takeSnapshot(cluster: TestCluster, castellan: Castellan): Promise<Snapshot> {
  const { coordinatorHost } = castellan;
  const nodes = [...cluster.nodes, ...(cluster.newNode === null ? [] : [cluster.newNode])];
  const hosts = [...new Set([...nodes.map(({ host }) => host), coordinatorHost])];
  const looks = new Map(hosts.map((host) => [host, processesOf(host)]));
  const startedAt = performance.now();
  const parts = await Promise.all(
    hosts.map(async (host): Promise<readonly [Host, Record<string, string>]> => {
      const node = nodes.find((candidate) => candidate.host === host) ?? null;
      const lists = await Promise.all([
        fileEntries(cluster, castellan, host),
        networkEntries(host),
        node === null ? {} : serverEntries(cluster, node),
        node === null ? {} : poolEntries(cluster, node),
        node === null ? {} : stateEntries(host),
        host === coordinatorHost ? journalEntries(castellan) : {},
      ]);
      return [host, Object.assign({ power: host.isUp() ? "on" : "off" }, ...lists)];
    }),
  );
  // What runs for a moment only (an agent's own observing) is nothing that is left behind.
  await sleep(Math.max(0, 300 - (performance.now() - startedAt)));
  return Object.fromEntries(
    parts
      .map(([host, entries]): readonly [string, Entries] => {
        const lasting = longLived(looks.get(host) ?? [], processesOf(host));
        return [host.name, sorted({ ...entries, ...processEntries(host, lasting) })];
      })
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/**
 * Lines such as `srv159 file /x: absent -> 600 kingbase:kingbase`; none when nothing differs. `loadedRow` is the one
 * thing that an aborted add may leave: a backend row that the pools have loaded, down.
 */
export function differences(
  before: Snapshot,
  after: Snapshot,
  { loadedRow }: { readonly loadedRow?: LoadedRow } = {},
): readonly string[] {
  const hosts = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return hosts.flatMap((host) => {
    const was = before[host] ?? {};
    const now = after[host] ?? {};
    const is = loadedRow === undefined ? now : withoutLoadedRow(was, now, loadedRow);
    const keys = [...new Set([...Object.keys(was), ...Object.keys(is)])].sort();
    return keys.flatMap((key) =>
      compareLines(was[key], is[key]).map((change) => `${host} ${key}: ${change}`),
    );
  });
}

/** The differences from `before` once they are gone, or those that are still there when the time is up. */
export async function settledDifferences(
  before: Snapshot,
  cluster: TestCluster,
  castellan: Castellan,
  { timeoutMs = 15_000, ...options }: { timeoutMs?: number; loadedRow?: LoadedRow } = {},
): Promise<readonly string[]> {
  const limit = performance.now() + timeoutMs;
  for (;;) {
    const left = differences(before, await takeSnapshot(cluster, castellan), options);
    if (left.length === 0 || performance.now() > limit) return left;
  }
}

function sorted(entries: Entries): Entries {
  return Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)));
}
