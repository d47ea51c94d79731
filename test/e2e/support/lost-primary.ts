import type { TestCluster } from "#test/harness/cluster.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** It gets no more WAL from the primary. Answers how that one's files are put back. */
export async function leaveBehind(
  cluster: TestCluster,
  node: string,
  primary = "srv127",
): Promise<() => Promise<void>> {
  const { host, paths } = cluster.node(primary);
  const { address } = cluster.node(node);
  const hba = await host.readFile(paths.hbaFile);
  const options = { owner: cluster.lane.osUser, mode: 0o600 };
  await host.writeFile(paths.hbaFile, `host replication all ${address}/32 reject\n${hba}`, options);
  await cluster.sql(primary, "SELECT pg_reload_conf()");
  await waitFor(
    async () => {
      const left = await cluster.sql(primary, `SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE client_addr = '${address}'`); // prettier-ignore
      return left.length === 0;
    },
    { what: `${node} to be left behind` },
  );
  return () => host.writeFile(paths.hbaFile, hba, options);
}

export async function killPrimary(cluster: TestCluster, primary = "srv127"): Promise<void> {
  const { host, paths } = cluster.node(primary);
  const [pid = ""] = (await host.readFile(`${paths.dataDir}/postmaster.pid`)).split("\n");
  await host.exec(["kill", "-9", pid]);
}
