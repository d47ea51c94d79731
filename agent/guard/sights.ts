import type { ClusterView, PeerSight, PoolSight } from "#shared/domain/cluster-view.ts";
import { newestSight } from "../decide/newest-sight.ts";
import { identityOf, lookAtPeer, type DeclaredNode, type LookPorts } from "./look-at-peer.ts";
import { lookAtPool } from "./look-at-pool.ts";
import type { Ports } from "../ports.ts";

/** What this host knows of the other nodes and of every pool. Too old is left out. */
export type Sights = Disposable & {
  peers(): readonly PeerSight[];
  pools(): readonly PoolSight[];
  /** Other agents speak through the coordinator. */
  told(peers: readonly PeerSight[]): void;
  /** What is not as it should be, after every look of the guard: what is off is looked at more closely. */
  attend(unrest: readonly string[]): void;
  /** Something is off, and is so not for long. */
  isClose(): boolean;
};

/** What is older is not known any more. */
const freshForMs = 10_000;
const calmEveryMs = 5_000;
const closeEveryMs = 1_000;
/** One that is silent costs a connection that waits, here and in the network. */
const silentEveryMs = 3_000;
/** What stays off stays so for long: then calmly again. */
const closeForMs = 600_000;
/** An edge does not make a look more often than this. */
const leastEveryMs = 300;
const identityEveryMs = 60_000;
const roundMs = 500;

type Look = { isUnderWay: boolean; startedAt: number; isSilent: boolean };
type Seen<T> = { readonly sight: T; readonly atMs: number };

/**
 * Looks at every declared node and pool over short sessions: calmly while all is well, closely while something is off,
 * never twice at once at the same. `onChange`: somebody is not as it was.
 */
export function createSights(
  ports: LookPorts & Pick<Ports, "clusterView" | "settings">,
  onChange: () => void,
): Sights {
  const { clock, clusterView, product, settings } = ports;
  const looks = new Map<string, Look>();
  const own = new Map<string, Seen<PeerSight>>();
  const byOthers = new Map<string, Seen<PeerSight>>();
  const pools = new Map<string, Seen<PoolSight>>();
  const identities = new Map<string, { readonly value: string | null; readonly askedAt: number }>();
  let off = "";
  let offSince = Number.NEGATIVE_INFINITY;
  let heardAt = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  const isFresh = (atMs: number): boolean => clock.elapsedMs() - atMs <= freshForMs;
  const fresh = <T>(seen: Seen<T> | undefined): T | null =>
    seen !== undefined && isFresh(seen.atMs) ? seen.sight : null;

  function keep<T extends object>(into: Map<string, Seen<T>>, node: string, sight: T): void {
    if (isClosed) return;
    const before = fresh(into.get(node));
    into.set(node, { sight, atMs: clock.elapsedMs() });
    if (before === null || shapeOf(before) !== shapeOf(sight)) onChange();
  }

  function round(leastMs: number | null = null): void {
    const cluster = clusterView.current();
    if (cluster === null) return;
    for (const node of cluster.nodes) {
      if (node.name !== settings.node) {
        look(`database ${node.name}`, leastMs, () => seePeer(cluster, node));
      }
      const { pool } = node;
      if (pool !== null)
        look(`pool ${node.name}`, leastMs, () => seePool(cluster, node, pool.port));
    }
  }

  function look(key: string, leastMs: number | null, see: () => Promise<boolean>): void {
    const state = looks.get(key) ?? { isUnderWay: false, startedAt: Number.NEGATIVE_INFINITY, isSilent: false }; // prettier-ignore
    looks.set(key, state);
    const now = clock.elapsedMs();
    if (state.isUnderWay || now - state.startedAt < (leastMs ?? everyMs(state))) return;
    state.isUnderWay = true;
    state.startedAt = now;
    void see().then((isSilent) => {
      state.isUnderWay = false;
      state.isSilent = isSilent;
    }); // a look never rejects
  }

  const isClose = (): boolean => off !== "" && clock.elapsedMs() - offSince < closeForMs;

  function everyMs({ isSilent }: Look): number {
    if (!isClose()) return calmEveryMs;
    return isSilent ? silentEveryMs : closeEveryMs;
  }

  async function seePeer(cluster: ClusterView, node: DeclaredNode): Promise<boolean> {
    const seen = await lookAtPeer(ports, cluster, node);
    const isIn = seen.database === "primary" || seen.database === "standby";
    const systemIdentifier = seen.systemIdentifier ?? (isIn ? await identity(cluster, node) : null);
    keep(own, node.name, { ...seen, systemIdentifier });
    return seen.database === "silent";
  }

  async function identity(cluster: ClusterView, node: DeclaredNode): Promise<string | null> {
    if (product.dialect(0).control !== null) return null;
    const known = identities.get(node.name);
    const now = clock.elapsedMs();
    if (known !== undefined && now - known.askedAt < identityEveryMs) return known.value;
    const value = await identityOf(ports, cluster, node);
    identities.set(node.name, { value, askedAt: now });
    return value;
  }

  async function seePool(cluster: ClusterView, node: DeclaredNode, port: number): Promise<boolean> {
    const seen = await lookAtPool(ports, cluster, node, port);
    keep(pools, node.name, seen);
    return seen.status === "silent";
  }

  const timer = setInterval(() => round(), roundMs);

  return {
    peers: () =>
      (clusterView.current()?.nodes ?? []).flatMap(
        ({ name }) => newestSight(fresh(own.get(name)), fresh(byOthers.get(name))) ?? [],
      ),
    pools: () =>
      (clusterView.current()?.nodes ?? []).flatMap(({ name }) => fresh(pools.get(name)) ?? []),
    told: (peers) => {
      heardAt = clock.elapsedMs();
      for (const peer of peers) keep(byOthers, peer.node, { ...peer, at: clock.now() });
    },
    isClose,
    attend: (unrest) => {
      const now = isFresh(heardAt) ? unrest : [...unrest, "no coordinator"];
      const before = off;
      off = now.join();
      if (off === before) return;
      offSince = clock.elapsedMs();
      if (off !== "") round(leastEveryMs);
    },
    [Symbol.dispose]: () => {
      isClosed = true;
      clearInterval(timer);
    },
  };
}

/** Positions move with every write: nobody has to look again because of them. */
function shapeOf(sight: object): string {
  const moving: ReadonlySet<string> = new Set(["at", "position", "flushLsn", "problem"]);
  return JSON.stringify(sight, (key, value: unknown) => (moving.has(key) ? undefined : value));
}
