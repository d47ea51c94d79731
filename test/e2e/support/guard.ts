import type { GuardAnswer } from "#coordinator/api/guard-contract.ts";
import type { Castellan } from "#test/harness/castellan.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** The guards of these nodes are in charge; their agents were restarted for it. */
export async function enforce(castellan: Castellan, nodes: readonly ClusterNode[]): Promise<void> {
  for (const { name, host } of nodes) {
    const state = `${host.root}/var/lib/castellan-agent`;
    const { stdout: id } = await host.exec(["cat", "/etc/machine-id"], { reject: false });
    const { stdout: owner } = await host.exec(["stat", "-c", "%U", state]);
    const machineId = id.trim() === "" ? null : id.trim();
    const kept = { machineId, node: name, mode: "enforce", by: "test", maintenance: null };
    await castellan.killAgent(name);
    await host.writeFile(`${state}/guard-mode.json`, JSON.stringify(kept), {
      owner: owner.trim(),
      mode: 0o600,
    });
    await castellan.startAgent(name);
  }
  await waitFor(
    async () => {
      const { clusters } = await castellan.json<GuardAnswer>(["guard", "status"]);
      const guards = clusters.flatMap((cluster) => cluster.nodes);
      return nodes.every(({ name }) =>
        guards.some(({ node, guard }) => node === name && guard?.mode === "enforce"),
      );
    },
    { timeoutMs: 60_000, what: `the guards of ${nodes.map(({ name }) => name).join(", ")} to be in charge` }, // prettier-ignore
  );
}
