import type { ClusterView, PoolSight } from "#shared/domain/cluster-view.ts";
import type { PoolRow } from "#shared/domain/facts.ts";
import { stateOf, type Commits } from "./commits.ts";
import type { GuardView } from "./view.ts";

type DeclaredNode = ClusterView["nodes"][number];

/** Declared nodes that do not stream from this primary: what is acknowledged without them they lack. */
export function nodesThatLeft(
  { cluster, node }: Pick<GuardView, "cluster" | "node">,
  primary: Commits,
): readonly string[] {
  return (cluster?.nodes ?? [])
    .map(({ name }) => name)
    .filter((name) => name !== node && stateOf(primary, name) !== "streaming");
}

/**
 * What keeps commits waiting for standbys that are gone; null where nobody may promote them, and this host is not the
 * one that is cut off.
 */
export function whyNotWithout(view: GuardView, primary: Commits): string | null {
  const { cluster, node, peers } = view;
  const own = cluster?.nodes.find(({ name }) => name === node);
  if (cluster === null || own === undefined) return "this node's cluster is not known yet";
  const other = peers.find(({ database }) => database === "primary");
  if (other !== undefined) return `${other.node} runs as a primary as well`;
  const left = nodesThatLeft(view, primary);
  for (const name of left) {
    const state = stateOf(primary, name);
    if (state !== null) return `${name} has not left: ${state}`;
    const sight = peers.find((peer) => peer.node === name);
    if (sight === undefined) return `${name} was not looked at yet`;
    if (sight.upstream === own.address) return `${name} says that it streams from here`;
    if ((sight.timeline ?? 0) > (primary.timeline ?? 0)) return `${name} is on timeline ${sight.timeline}`; // prettier-ignore
  }
  if (reachesNobody(view))
    return "this host reaches nobody else: it may be the one that is cut off";
  return whyNotRecorded(view, left);
}

/** What keeps a pool from leaving these nodes alone, whoever fails; null where none may promote them. */
export function whyNotRecorded(
  { cluster, pools }: Pick<GuardView, "cluster" | "pools">,
  left: readonly string[],
): string | null {
  if (cluster === null) return "this node's cluster is not known yet";
  if (cluster.poolKind === "none") return null;
  const declared = cluster.nodes.filter(({ pool }) => pool !== null);
  if (declared.length === 0) return "no pool is declared that could be asked";
  const reasons = declared.flatMap(({ name }) => {
    const sight = pools.find((pool) => pool.node === name);
    if (sight === undefined) return [`the pool of ${name} was not asked yet`];
    if (sight.status !== "answers") return [`the pool of ${name} can't be asked (${sight.status})`];
    const strangers = sight.rows.filter(
      (row) => !isOut(row.status) && !cluster.nodes.some((node) => leadsTo(row, node)),
    );
    const ofStrangers = strangers.map(
      ({ hostname, port, status }) => `${hostname}:${port}, which is no declared node, is ${status} on the pool of ${name}`, // prettier-ignore
    );
    const ofGone = cluster.nodes.flatMap((gone) => {
      if (!left.includes(gone.name)) return [];
      const status = statusesOf(sight, gone).find((one) => !isOut(one));
      return status === undefined ? [] : [`${gone.name} is ${status} on the pool of ${name}`];
    });
    return [...ofGone, ...ofStrangers];
  });
  return reasons.length === 0 ? null : reasons.join(", ");
}

/** Any other word, as that of a quarantine, is taken for one that may come back by itself. */
export function isOut(status: string): boolean {
  return status === "down" || status === "unused";
}

function statusesOf({ rows }: PoolSight, node: DeclaredNode): readonly string[] {
  const { backendId } = node;
  const isShown = backendId === null || rows.some(({ id }) => id === backendId);
  const statuses = rows.filter((row) => leadsTo(row, node)).map(({ status }) => status);
  return isShown ? statuses : [...statuses, `not shown (backend ${backendId})`];
}

/** The declared row, and any other that leads there: a pool's own file may number its rows otherwise. */
function leadsTo(row: PoolRow, { name, address, port, backendId }: DeclaredNode): boolean {
  return row.id === backendId || ([address, name].includes(row.hostname) && row.port === port);
}

function reachesNobody({
  node,
  peers,
  pools,
  coordinatorConnected,
  trustAnswers,
}: GuardView): boolean {
  if (coordinatorConnected || trustAnswers === true) return false;
  if (peers.some(({ database }) => database !== "silent")) return false;
  return pools.every((pool) => pool.node === node || pool.status === "silent");
}
