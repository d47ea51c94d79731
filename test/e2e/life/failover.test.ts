import { expect, test } from "vitest";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { enforce } from "#test/e2e/support/guard.ts";

const hosts = ["127", "129", "159"].map((id) => ({ name: `srv${id}`, address: `192.168.4.${id}` }));
test("with the coordinator away nobody is promoted, and the log says why", async () => {
  await using bed = await failingOver();
  const { cluster, castellan } = bed;
  await castellan.killCoordinator();
  await killPrimary(cluster);
  expect(await answers(cluster)).toContain("did not answer");
  expect(await isStandby(cluster, "srv129")).toBe(true);
  expect(await isStandby(cluster, "srv159")).toBe(true);
});

type Bed = AsyncDisposable & { readonly cluster: TestCluster; readonly castellan: Castellan };

async function failingOver(): Promise<Bed> {
  const lab = await testLab({ hosts: [...hosts, { name: "coord", address: "192.168.4.10" }] });
  const coordinatorHost = lab.host("coord");
  const { nodePath, projectPath } = lab.host("srv127");
  const program = `${nodePath} ${projectPath}/dist/castellan-failover.js`;
  const cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129", "srv159"],
    pool: true,
    poolSettings: { failover_command: `'${program} %d %h %p %D %m %H %M %P %r %R'` },
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

async function killPrimary(cluster: TestCluster): Promise<void> {
  const { host, paths } = cluster.node("srv127");
  const [pid = ""] = (await host.readFile(`${paths.dataDir}/postmaster.pid`)).split("\n");
  await host.exec(["kill", "-9", pid]);
}

async function isStandby(cluster: TestCluster, node: string): Promise<unknown> {
  return (await cluster.sql(node, "SELECT pg_is_in_recovery() AS r"))[0]?.["r"];
}

/** What came of the call for the primary, on whichever pool's host it was; calls for standbys come to nothing. */
async function answers(cluster: TestCluster): Promise<string> {
  const said = async (): Promise<string> => {
    const texts = ["srv127", "srv129"].map(async (node) => {
      const { host } = cluster.node(node);
      const file = `${host.root}/var/lib/castellan-agent/failover.log`;
      return host.exists(file) ? host.readFile(file) : "";
    });
    const lines = (await Promise.all(texts)).join("").split("\n");
    return lines.filter((line) => !line.endsWith("nothing to do")).join("\n").trim(); // prettier-ignore
  };
  await waitFor(async () => (await said()) !== "", { timeoutMs: 90_000, what: "the pool's call" });
  return said();
}
