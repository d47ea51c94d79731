import type { LaneOptions } from "#test/harness/postgres.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { guardBed, type GuardBed } from "./guard-bed.ts";

export type FailoverBed = GuardBed & {
  /** Takes writes when it answers. */
  promote(node: string): Promise<void>;
  /** The name of the node that this one streams from; null while it streams from none. */
  upstreamOf(node: string): Promise<string | null>;
  follows(node: string, upstream: string, timeoutMs?: number): Promise<void>;
  postmaster(node: string): Promise<string>;
};

/** A primary and two standbys without a pool, whose guards are in charge; `guard.rejoin` is as it is told. */
export async function failoverBed(
  lane: LaneOptions,
  { rejoin = "standbys" }: { readonly rejoin?: "standbys" | "all" } = {},
): Promise<FailoverBed> {
  const nodes = ["srv127", "srv129", "srv159"];
  const bed = await guardBed({ ...lane, nodes });
  const { cluster } = bed;
  if (rejoin === "all") {
    for (const node of nodes) await bed.set(node, [[/rejoin: "standbys"/, 'rejoin: "all"']]);
  }
  const upstreamOf = async (node: string): Promise<string | null> => {
    const rows = await cluster
      .sql(
        node,
        "SELECT substring(conninfo from 'host=([0-9.]+)') AS host FROM pg_stat_wal_receiver WHERE status = 'streaming'",
      ) // prettier-ignore
      .catch(() => []); // it may be starting
    return cluster.nodes.find(({ address }) => address === rows[0]?.["host"])?.name ?? null;
  };
  return {
    ...bed,
    promote: async (node) => {
      const { host, paths } = cluster.node(node);
      await host.exec([paths.control, "-D", paths.dataDir, "-w", "promote"], {
        user: cluster.lane.osUser,
      });
    },
    upstreamOf,
    follows: async (node, upstream, timeoutMs = 60_000) => {
      await waitFor(async () => (await upstreamOf(node)) === upstream, {
        timeoutMs,
        what: `${node} to stream from ${upstream}`,
      });
    },
    postmaster: async (node) => {
      const { host, paths } = cluster.node(node);
      return (await host.readFile(`${paths.dataDir}/postmaster.pid`)).split("\n")[0] ?? "";
    },
  };
}
