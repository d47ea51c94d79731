import { expect, test } from "vitest";
import { Decision } from "#shared/domain/guard.ts";
import { enforce } from "#test/e2e/support/guard.ts";
import { installCastellan } from "#test/harness/castellan.ts";
import { createCluster } from "#test/harness/cluster.ts";
import { killPostmaster } from "#test/harness/faults/process.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const hosts = [
  { name: "srv127", address: "192.168.4.127" },
  { name: "srv129", address: "192.168.4.129" },
  { name: "coord", address: "192.168.4.10" },
];

test("an agent that is killed between a decision, its step and its end does nothing from disk, and nothing twice", async () => {
  const lab = await testLab({ hosts });
  await using cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
  });
  await using castellan = await installCastellan(cluster, {
    coordinatorHost: lab.host("coord"),
    crashPoints: true,
  });
  await castellan.cli(["cluster", "import", cluster.name]);
  await enforce(castellan, cluster.nodes);
  const { host, paths } = cluster.node("srv129");
  const decisions = async (): Promise<ReadonlyMap<string, Decision>> => {
    const lines = (await host.readFile("/var/lib/castellan-agent/decisions.jsonl")).split("\n");
    const all = lines.filter((line) => line !== "").map((line) => Decision.parse(JSON.parse(line)));
    return new Map(all.filter(({ rule }) => rule === "database-dead").map((made) => [made.id, made])); // prettier-ignore
  };
  const postmaster = async () => (await host.readFile(paths.pidFile)).split("\n")[0];
  const streams = async () => {
    const [row] = await cluster.sql("srv129", "SELECT status FROM pg_stat_wal_receiver");
    return row?.["status"] === "streaming";
  };
  const strikes = [
    ["guard:begun:database-dead", "before its step"],
    ["guard:step-done:start-database", "after its step"],
    ["guard:ending:database-dead", "before its end is on disk"],
  ] as const;
  for (const [point, where] of strikes) {
    await castellan.killAgent("srv129");
    await castellan.startAgent("srv129", { CASTELLAN_CRASH_AT: point });
    await castellan.connected(["srv129"]);
    await waitFor(streams, { timeoutMs: 20_000, what: "the standby to stream" });
    await killPostmaster(host, paths.pidFile);
    await waitFor(() => !castellan.agent("srv129").isRunning(), {
      timeoutMs: 30_000,
      what: `the agent to be struck ${where}`,
    });
    const begun = [...(await decisions()).values()].at(-1);
    expect([where, begun?.outcome]).toEqual([where, "begun"]);
    const isStarted = point !== "guard:begun:database-dead";
    const before = isStarted ? await postmaster() : null;

    await castellan.startAgent("srv129");
    const cut = await waitFor(
      async () => {
        const found = (await decisions()).get(begun?.id ?? "");
        return found?.outcome === "begun" ? null : found;
      },
      { timeoutMs: 20_000, what: "an end of what was begun" },
    );
    expect(cut).toMatchObject({ outcome: "failed", why: "the agent was restarted meanwhile" });
    await waitFor(streams, {
      timeoutMs: 30_000,
      what: `the standby to stream again, cut ${where}`,
    });
    const after = [...(await decisions()).values()].at(-1);
    // What was not done is decided anew; what was done is not done again.
    expect([where, isStarted ? await postmaster() : after?.id === begun?.id]).toEqual([where, isStarted ? before : false]); // prettier-ignore
  }
});
