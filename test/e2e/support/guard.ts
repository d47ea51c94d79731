import type { GuardAnswer } from "#coordinator/api/guard-contract.ts";
import type { Castellan } from "#test/harness/castellan.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** The guards of a whole cluster are in charge, as an operator puts them there. */
export async function enforce(castellan: Castellan, nodes: readonly ClusterNode[]): Promise<void> {
  const guards = async () => (await castellan.json<GuardAnswer>(["guard", "status"])).clusters;
  const isOne = (name: string): boolean => nodes.some((node) => node.name === name);
  const cluster = (await guards()).find((one) => one.nodes.some(({ node }) => isOne(node)));
  if (cluster === undefined) throw new Error("no cluster is declared with these nodes");
  await castellan.cli(["guard", "takeover", cluster.name, "--yes"]);
  await waitFor(
    async () =>
      (await guards())
        .flatMap((one) => one.nodes.filter(({ node }) => isOne(node)))
        .every(({ guard }) => guard?.mode === "enforce"),
    { timeoutMs: 60_000, what: `the guards of ${cluster.name} to be in charge` },
  );
}
