import { expect, test } from "vitest";
import type { WhyAnswer } from "#coordinator/api/contract.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const hosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "coord", address: "192.168.4.10" },
];

/** The newest decision of srv129 about its stream, with the peers that it looked at. */
async function decided(castellan: Castellan, outcome: string) {
  const { moment } = await castellan.json<WhyAnswer>(["why", "srv129"]);
  const fits = moment?.decisions.some(
    (made) => made.rule === "standby-not-streaming" && made.outcome === outcome,
  );
  return fits === true ? moment?.inputs : null;
}

test("a node knows its cluster and sees the others without the coordinator, after a restart of its agent too", async () => {
  const lab = await testLab({ hosts });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  const { host } = cluster.node("srv129");
  const kept = "/var/lib/castellan-agent/cluster-view.json";
  await waitFor(async () => host.exists(kept), { what: "the cluster's declaration on srv129" });
  expect(await host.readFile(kept)).toContain('"srv127"');

  await castellan.killCoordinator();
  const monitors = async () =>
    (await host.exec(["pgrep", "-fc", "^ip monitor address"], { reject: false })).stdout.trim();
  expect(await monitors()).toBe("1");
  await castellan.killAgent("srv129");
  await waitFor(async () => (await monitors()) === "0", { what: "the end of ip monitor" });
  await castellan.startAgent("srv129");
  await cluster.stop("srv127");
  const record = "/var/lib/castellan-agent/decisions.jsonl";
  await waitFor(
    async () =>
      host.exists(record) && (await host.readFile(record)).includes("standby-not-streaming"),
    { timeoutMs: 30_000, what: "the decision on srv129" },
  );

  await castellan.startCoordinator();
  const lost = await waitFor(() => decided(castellan, "would"), { timeoutMs: 20_000 });
  expect(lost).toMatchObject({ peers: [{ node: "srv127", from: "own-look", seen: "refused" }] });
  await cluster.start("srv127");
  const back = await waitFor(() => decided(castellan, "cleared"), { timeoutMs: 30_000 });
  expect(back).toMatchObject({ peers: [{ node: "srv127", seen: "primary" }] });
});
