import { Decision } from "#shared/domain/guard.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { enforce } from "./guard.ts";

export type FailoverBed = AsyncDisposable & {
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
  /** Takes writes when it answers. */
  promote(node: string): Promise<void>;
  /** The name of the node that this one streams from; null while it streams from none. */
  upstreamOf(node: string): Promise<string | null>;
  follows(node: string, upstream: string, timeoutMs?: number): Promise<void>;
  postmaster(node: string): Promise<string>;
  /** The guard of a node has come to this outcome of a rule. */
  decided(node: string, rule: string, outcome: Decision["outcome"]): Promise<Decision>;
};

const hosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "srv159", address: "192.168.4.159" },
  { name: "coord", address: "192.168.4.10" },
];

const decisionsFile = "/var/lib/castellan-agent/decisions.jsonl";

/** A primary and two standbys without a pool, whose guards are in charge; `guard.rejoin` is as it is told. */
export async function failoverBed(
  lane: LaneOptions,
  { rejoin = "standbys" }: { readonly rejoin?: "standbys" | "all" } = {},
): Promise<FailoverBed> {
  const lab = await testLab({ hosts });
  const cluster = await createCluster(lab, { ...lane, nodes: ["srv127", "srv129", "srv159"] });
  const castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  for (const { host, name } of cluster.nodes) {
    const file = "/etc/castellan/agent.yaml";
    const text = (await host.readFile(file)).replace(/rejoin: "\w+"/, `rejoin: "${rejoin}"`);
    await host.writeFile(file, text, { mode: 0o644 });
    await castellan.killAgent(name);
    await castellan.startAgent(name);
  }
  await castellan.connected(cluster.nodes.map(({ name }) => name));
  await enforce(castellan, cluster.nodes);
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
    cluster,
    castellan,
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
    decided: (node, rule, outcome) =>
      waitFor(
        async () => {
          const kept = await cluster
            .node(node)
            .host.readFile(decisionsFile)
            .catch(() => ""); // none yet
          return kept
            .split("\n")
            .filter((line) => line !== "")
            .map((line) => Decision.parse(JSON.parse(line)))
            .find((made) => made.rule === rule && made.outcome === outcome);
        },
        { timeoutMs: 60_000, what: `${rule} to be ${outcome} on ${node}` },
      ),
    [Symbol.asyncDispose]: async () => {
      await castellan[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}
