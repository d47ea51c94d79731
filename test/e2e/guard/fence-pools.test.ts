import { expect, test } from "vitest";
import { guardBed, type GuardBed } from "#test/e2e/support/guard-bed.ts";
import type { Pools } from "#test/harness/pool.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const limit = { timeoutMs: 90_000 };
const nodes = ["srv127", "srv129"];

/** What the site's boot does after the host's: the fence before anything else, its database, the agent and its pool. */
async function boot({ cluster, castellan }: GuardBed, pools: Pools, node: string): Promise<void> {
  const { host } = cluster.node(node);
  await host.boot();
  await castellan.agent(node).exited;
  const program = `${host.projectPath}/dist/castellan-agent.js`;
  const { stdout } = await host.exec(
    [host.nodePath, program, "fence", "--config", "/etc/castellan/agent.yaml"],
    { user: cluster.lane.osUser },
  );
  expect(stdout).toContain("standby.signal written; it was a primary");
  await cluster.start(node);
  const [row] = await cluster.sql(node, "SELECT pg_is_in_recovery() AS fenced");
  expect(row).toEqual({ fenced: true });
  await castellan.startAgent(node);
  await pools.start(node);
}

/** `primary up, standby up` of both pools. */
async function become(pools: Pools, wanted: string): Promise<void> {
  for (const { name } of pools.nodes) {
    const rows = async () =>
      (await pools.show(name)).map(({ role, status }) => `${String(role)} ${String(status)}`);
    await waitFor(async () => (await rows().catch(() => [])).join(", ") === wanted, {
      ...limit,
      what: `${wanted} on the pool of ${name}`,
    });
  }
}

test("a primary whose host was restarted is opened again where no pool failed over from it, and stays a standby where one did", async () => {
  await using bed = await guardBed({
    product: "postgresql",
    nodes,
    pool: true,
    // As a site that lets its pools wait for a restart.
    poolSettings: { health_check_max_retries: "60", search_primary_node_timeout: "300" },
  });
  const { cluster } = bed;
  const { pools } = cluster;
  if (pools === null) throw new Error("a cluster with pools");
  await bed.set("srv127", [[/rejoin: "standbys"/, 'rejoin: "all"']]);
  await cluster.sql("srv127", "INSERT INTO ledger VALUES (1, 'before')");
  const { host } = cluster.node("srv127");

  await host.powerOff();
  await boot(bed, pools, "srv127");
  await bed.decided("srv127", "fenced-primary", "done");
  // It may have taken over from a pool that was still looking for a primary that there is none; then it asks no more.
  await pools.restart("srv129");
  await become(pools, "primary up, standby up");
  await waitFor(() => cluster.poolSql("INSERT INTO ledger VALUES (2, 'through the pool')").then(() => true, () => false), limit); // prettier-ignore
  expect(await cluster.sql("srv127", "SELECT id::int FROM ledger WHERE id > 0 ORDER BY 1")).toEqual(
    [{ id: 1 }, { id: 2 }],
  );

  await host.powerOff();
  const other = cluster.node("srv129");
  await other.host.exec([other.paths.control, "-D", other.paths.dataDir, "-w", "promote"], {
    user: cluster.lane.osUser,
  });
  // It takes no order before its watchdog has noticed that the other one is gone.
  const detach = () => pools.pcp("srv129", "pcp_detach_node", ["-n", "0"]);
  await waitFor(() => detach().then(() => true, () => false), { ...limit, what: "the failover" }); // prettier-ignore
  await boot(bed, pools, "srv127");
  await become(pools, "standby up, primary up");
  const opened = (await bed.decisions("srv127")).filter(
    ({ rule, outcome }) => rule === "fenced-primary" && outcome === "begun",
  );
  expect(opened).toHaveLength(1);
  await waitFor(() => cluster.poolSql("INSERT INTO ledger VALUES (3, 'of the new one')").then(() => true, () => false), limit); // prettier-ignore
  const [row] = await cluster.sql("srv127", "SELECT pg_is_in_recovery() AS standby");
  expect(row).toEqual({ standby: true });
});
