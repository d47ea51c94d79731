import type { ClusterView, PeerSight, PoolSight } from "#shared/domain/cluster-view.ts";
import type { GuardFacts } from "#shared/domain/facts.ts";
import { newestSight } from "../decide/newest-sight.ts";
import { identityOf, lookAtPeer, type DeclaredNode, type LookPorts } from "./look-at-peer.ts";
import { lookAtPool } from "./look-at-pool.ts";
import type { Ports } from "../ports.ts";
import { pulse } from "../pulse.ts";

/** What this host knows of the other nodes and of every pool. Too old is left out. */
export type Sights = Disposable & {
  peers(): readonly PeerSight[];
  /** Of `peers` what the coordinator says, whatever this host has seen since. */
  reported(): readonly PeerSight[];
  pools(): readonly PoolSight[];
  /** Whom this host's own looks do not reach, and since when. */
  silent(): NonNullable<GuardFacts["silent"]>;
  /** Other agents speak through the coordinator. */
  told(peers: readonly PeerSight[]): void;
  /** What is not as it should be, after every look of the guard: what is off is looked at more closely. */
  attend(unrest: readonly string[]): void;
  /** Something is off, and is so not for long. */
  isClose(): boolean;
};

/** What is older is not known any more. */
const peerFreshForMs = 10_000;
const poolFreshForMs = 75_000;
/** A coordinator that is silent for longer is not waited for: the own look is there before its word is too old. */
const spokenForMs = 7_000;
/**
 * Each look costs both hosts a login: rare while all is well. A node whose agent speaks for it is looked at only so that
 * a login that fails is known before it is needed.
 */
const calmEveryMs = { database: 120_000, pool: 60_000 };
const everyMs = 5_000;
/** In every round: a timer that is a little early must not leave one out. */
const closeEveryMs = 900;
/** One that is silent costs a connection that waits, here and in the network. */
const silentEveryMs = 3_000;
/** What stays off stays so for long; and what has come right may go on to move. */
const closeForMs = { off: 600_000, mended: 10_000 };
/** An edge does not make a look more often than this. */
const leastEveryMs = 300;
const identityEveryMs = 60_000;
const roundMs = 1_000;

type Look = { isUnderWay: boolean; startedAt: number; isSilent: boolean };
type Identity = Awaited<ReturnType<typeof identityOf>>;
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
  /** Since the beginning of the first look that found it silent. */
  const silentSince = new Map<string, number>();
  const identities = new Map<string, { readonly value: Identity; readonly askedAt: number }>();
  let off = "";
  let changedAt = Number.NEGATIVE_INFINITY;
  let isClosed = false;

  const fresh = <T>(seen: Seen<T> | undefined, forMs: number): T | null =>
    seen !== undefined && clock.elapsedMs() - seen.atMs <= forMs ? seen.sight : null;
  const freshPeer = (from: Map<string, Seen<PeerSight>>, node: string): PeerSight | null =>
    fresh(from.get(node), peerFreshForMs);

  function keep<T extends object>(into: Map<string, Seen<T>>, node: string, sight: T): void {
    if (isClosed) return;
    const before = into.get(node);
    into.set(node, { sight, atMs: clock.elapsedMs() });
    if (before === undefined || shapeOf(before.sight) !== shapeOf(sight)) onChange();
  }

  function round(leastMs: number | null = null): void {
    const cluster = clusterView.current();
    if (cluster === null) return;
    for (const node of cluster.nodes) {
      const { name, pool } = node;
      if (name !== settings.node) {
        const isSpokenFor = fresh(byOthers.get(name), spokenForMs) !== null;
        const restMs = isSpokenFor ? calmEveryMs.database : everyMs;
        look(`database ${name}`, leastMs, restMs, () => seePeer(cluster, node));
      }
      if (pool !== null) {
        const restMs = off === "" ? calmEveryMs.pool : everyMs;
        look(`pool ${name}`, leastMs, restMs, () => seePool(cluster, node, pool.port));
      }
    }
  }

  function look(
    key: string,
    leastMs: number | null,
    restMs: number,
    see: () => Promise<boolean>,
  ): void {
    const state = looks.get(key) ?? { isUnderWay: false, startedAt: Number.NEGATIVE_INFINITY, isSilent: false }; // prettier-ignore
    looks.set(key, state);
    const now = clock.elapsedMs();
    if (
      state.isUnderWay ||
      now - state.startedAt < (leastMs ?? (isClose() ? closeRestMs(state) : restMs))
    )
      return;
    state.isUnderWay = true;
    state.startedAt = now;
    void see().then((isSilent) => {
      state.isUnderWay = false;
      state.isSilent = isSilent;
    }); // a look never rejects
  }

  const isClose = (): boolean =>
    clock.elapsedMs() - changedAt < (off === "" ? closeForMs.mended : closeForMs.off);

  const closeRestMs = ({ isSilent }: Look): number => (isSilent ? silentEveryMs : closeEveryMs);

  async function seePeer(cluster: ClusterView, node: DeclaredNode): Promise<boolean> {
    const begun = clock.now();
    const seen = await lookAtPeer(ports, cluster, node);
    if (seen.database !== "silent") silentSince.delete(node.name);
    else if (!silentSince.has(node.name)) silentSince.set(node.name, begun);
    const isIn = seen.database === "primary" || seen.database === "standby";
    const known = isIn ? await identity(cluster, node) : null;
    keep(own, node.name, {
      ...seen,
      systemIdentifier: seen.systemIdentifier ?? known?.systemIdentifier ?? null,
      timeline: seen.timeline ?? known?.timeline ?? null,
    });
    return seen.database === "silent";
  }

  async function identity(cluster: ClusterView, node: DeclaredNode): Promise<Identity | null> {
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

  const rounds = pulse(roundMs, () => round());

  return {
    peers: () =>
      (clusterView.current()?.nodes ?? []).flatMap(
        ({ name }) => newestSight(freshPeer(own, name), freshPeer(byOthers, name)) ?? [],
      ),
    reported: () =>
      (clusterView.current()?.nodes ?? []).flatMap(({ name }) => freshPeer(byOthers, name) ?? []),
    pools: () =>
      (clusterView.current()?.nodes ?? []).flatMap(
        ({ name }) => fresh(pools.get(name), poolFreshForMs) ?? [],
      ),
    silent: () =>
      [...silentSince].flatMap(([node, since]) =>
        freshPeer(own, node)?.database === "silent" ? [{ node, since }] : [],
      ),
    told: (peers) => {
      for (const peer of peers) keep(byOthers, peer.node, { ...peer, at: clock.now() });
    },
    isClose,
    attend: (unrest) => {
      const before = off;
      off = unrest.join();
      if (off === before) return;
      changedAt = clock.elapsedMs();
      round(leastEveryMs);
    },
    [Symbol.dispose]: () => {
      isClosed = true;
      rounds[Symbol.dispose]();
    },
  };
}

/** Positions move with every write: nobody has to look again because of them. */
function shapeOf(sight: object): string {
  const moving: ReadonlySet<string> = new Set(["at", "position", "flushLsn", "problem"]);
  return JSON.stringify(sight, (key, value: unknown) => (moving.has(key) ? undefined : value));
}
