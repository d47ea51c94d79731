import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { LaneOptions } from "#test/harness/postgres.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { enforce } from "./guard.ts";

const hosts = ["127", "129", "159"].map((id) => ({ name: `srv${id}`, address: `192.168.4.${id}` }));

type Bed = AsyncDisposable & { readonly cluster: TestCluster; readonly castellan: Castellan };

export async function failingOver(
  lane: LaneOptions,
  { failoverCommand }: { readonly failoverCommand?: "" } = {},
): Promise<Bed> {
  const lab = await testLab({ hosts: [...hosts, { name: "coord", address: "192.168.4.10" }] });
  const coordinatorHost = lab.host("coord");
  const { nodePath, projectPath } = lab.host("srv127");
  const program = `${nodePath} ${projectPath}/dist/castellan-failover.js`;
  const cluster = await createCluster(lab, {
    ...lane,
    nodes: ["srv127", "srv129", "srv159"],
    pool: true,
    poolSettings: {
      failover_command: `'${failoverCommand ?? `${program} %d %h %p %D %m %H %M %P %r %R`}'`,
    },
  });
  const castellan = await installCastellan(cluster, { coordinatorHost });
  await castellan.cli(["cluster", "import", cluster.name]);
  await enforce(castellan, cluster.nodes);
  return {
    cluster,
    castellan,
    [Symbol.asyncDispose]: async () => {
      await castellan[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

export async function isStandby(cluster: TestCluster, node: string): Promise<unknown> {
  return (await cluster.sql(node, "SELECT pg_is_in_recovery() AS r"))[0]?.["r"];
}

export async function rows(cluster: TestCluster, node: string): Promise<unknown> {
  const [row] = await cluster.sql(node, "SELECT count(*)::int AS n FROM kept").catch(() => []);
  return row?.["n"];
}

/** What came of the call for the primary, on whichever pool's host it was; calls for standbys come to nothing. */
export async function answers(
  cluster: TestCluster,
  { from = ["srv127", "srv129"], timeoutMs = 90_000 } = {},
): Promise<string> {
  const said = async (): Promise<string> => {
    const texts = from.map(async (node) => {
      const { host } = cluster.node(node);
      const file = `${host.root}/var/lib/castellan-agent/failover.log`;
      return host.exists(file) ? host.readFile(file) : "";
    });
    const lines = (await Promise.all(texts)).join("").split("\n");
    return lines.filter((line) => !line.endsWith("nothing to do")).join("\n").trim(); // prettier-ignore
  };
  await waitFor(async () => (await said()) !== "", { timeoutMs, what: "the pool's call" });
  return said();
}
