import type { OperationRecord } from "#coordinator/store/store.ts";
import { addArguments } from "#test/e2e/support/operations.ts";
import type { Castellan } from "#test/harness/castellan.ts";
import type { TestCluster } from "#test/harness/cluster.ts";

/** Adds the new node, and removes it with its data, by the commands that a person types. */
export async function addAndRemove(cluster: TestCluster, castellan: Castellan): Promise<string> {
  await castellan.cli(addArguments(cluster));
  const node = cluster.newNode?.name ?? "";
  const { state } = await castellan.json<OperationRecord>(["node", "remove", cluster.name, node, "--delete-data", "--yes"]); // prettier-ignore
  if (state !== "succeeded") throw new Error(`the removal is ${state}`);
  return "removed";
}

/** What a node that came and went could leave: each is counted. */
export type Traces = {
  readonly slots: number;
  readonly hbaLines: number;
  readonly backendRows: number;
  /** In the data directory's own folder, beside it, and what the pool is configured with. */
  readonly files: number;
  /** Agents' jobs and ledgers: what they note of what they make. */
  readonly notes: number;
};

export async function tracesOn(cluster: TestCluster): Promise<Traces> {
  const { newNode, nodes, pools } = cluster;
  const sum = { slots: 0, hbaLines: 0, backendRows: 0, files: 0, notes: 0 };
  for (const { name, host, paths } of nodes) {
    sum.slots += (await cluster.sql(name, "SELECT slot_name FROM pg_replication_slots")).length;
    sum.hbaLines += (await host.readFile(paths.hbaFile)).split("\n").length;
    sum.backendRows += (await pools?.show(name))?.length ?? 0;
    const { stdout } = await host.exec(["sh", "-c", `ls -A ${paths.dataDir} ${paths.dataDir}/.. /etc/pgpool2 2>/dev/null | wc -l`]); // prettier-ignore
    sum.files += Number(stdout);
  }
  for (const { host } of newNode === null ? nodes : [...nodes, newNode]) {
    const { stdout } = await host.exec(["find", "/var/lib/castellan-agent/jobs", "/var/lib/castellan-agent/ledger", "-type", "f"]); // prettier-ignore
    sum.notes += stdout.split("\n").length;
  }
  return sum;
}
