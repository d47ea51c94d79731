import { expect, test } from "vitest";
import type { GuardAnswer } from "#coordinator/api/guard-contract.ts";
import { Decision } from "#shared/domain/guard.ts";
import { enforce } from "#test/e2e/support/guard.ts";
import { labHosts } from "#test/e2e/support/hosts.ts";
import { addArguments } from "#test/e2e/support/operations.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

test("a node is added under guards that are in charge: they leave to the operation what it works on, and do nothing of their own", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    pool: true,
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  await enforce(castellan, cluster.nodes);

  const left = new Set<string>();
  const look = async (): Promise<boolean> => {
    const { clusters } = await castellan.json<GuardAnswer>(["guard", "status"]);
    const nodes = clusters.flatMap((one) => one.nodes);
    for (const { node, guard } of nodes) {
      for (const held of guard?.reserved ?? []) left.add(`${node} ${held.class}`);
    }
    return nodes.every(({ guard }) => (guard?.reserved ?? []).length === 0);
  };
  let isOver = false;
  const added = castellan.cli(addArguments(cluster)).finally(() => (isOver = true));
  while (!isOver) await look();
  await added;
  await waitFor(look, { timeoutMs: 30_000, what: "all that was reserved to be given back" });
  expect([...left]).toContain("srv127 pool-row");
  // A copy leaves the safety of its source alone.
  expect([...left]).not.toContain("srv127 database");

  for (const { name, host } of cluster.nodes) {
    const file = "/var/lib/castellan-agent/decisions.jsonl";
    const lines = host.exists(file) ? (await host.readFile(file)).split("\n") : [];
    const made = lines
      .filter((line) => line !== "")
      .map((line) => Decision.parse(JSON.parse(line)));
    const acted = made.filter(({ outcome }) => ["begun", "done", "failed"].includes(outcome));
    expect([name, acted.map(({ rule, outcome }) => `${rule} ${outcome}`)]).toEqual([name, []]);
  }
});
