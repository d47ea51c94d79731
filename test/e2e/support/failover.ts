import { waitFor } from "#test/harness/wait-for.ts";
import type { Scene } from "./scene.ts";

/** As a pool's failover command or a person does it. */
export async function promote({ cluster }: Scene, node: string): Promise<void> {
  await cluster.sql(node, "SELECT pg_promote()");
}

/** The coordinator has heard it. */
export async function seenAs(
  { castellan }: Scene,
  node: string,
  role: "primary" | "standby",
): Promise<void> {
  await waitFor(
    async () => {
      const { clusters } = await castellan.json<{
        clusters: { nodes: { name: string; role: string | null }[] }[];
      }>(["status"]);
      const found = clusters.flatMap(({ nodes }) => nodes).find(({ name }) => name === node);
      return found?.role === role;
    },
    { timeoutMs: 20_000, what: `${node} to be seen as a ${role}` },
  );
}

/** An old primary, stopped cleanly, follows the new one, as a DBA has it do. PostgreSQL 12 and later. */
export async function followOther(scene: Scene, node: string, primary: string): Promise<void> {
  const { cluster } = scene;
  const { host, paths, slot } = cluster.node(node);
  const other = cluster.node(primary);
  const owner = cluster.lane.osUser;
  const conninfo = `host=${other.address} port=${other.port} user=${cluster.lane.replicationUser} application_name=${node} password=${cluster.passwords.replication}`;
  const auto = `${paths.dataDir}/postgresql.auto.conf`;
  const lines = `primary_conninfo = '${conninfo}'\nprimary_slot_name = '${slot}'\n`;
  await host.writeFile(auto, `${await host.readFile(auto)}${lines}`, { owner, mode: 0o600 });
  await host.writeFile(`${paths.dataDir}/standby.signal`, "", { owner, mode: 0o600 });
  await cluster.start(node);
  await seenAs(scene, node, "standby");
  await waitFor(
    async () => {
      const rows = await cluster.sql(primary, "SELECT state FROM pg_stat_replication");
      return rows.some(({ state }) => state === "streaming");
    },
    { timeoutMs: 20_000, what: `${node} to stream from ${primary}` },
  );
}
