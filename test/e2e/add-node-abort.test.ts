import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { createApiClient } from "#coordinator/cli/client.ts";
import type { OperationUpdate } from "#coordinator/api/contract.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { settledDifferences, takeSnapshot } from "#test/harness/snapshot.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { labHosts } from "./support/hosts.ts";
import {
  addArguments,
  backupProcess,
  newestOperation,
  stepOf,
  untilOperation,
} from "./support/operations.ts";

const lanes = [
  { title: "PostgreSQL 15 with pgpool", product: "postgresql", consent: [] },
  {
    title: "KingbaseES V8R3 (emulated) with kingbasecluster",
    product: "kingbase-v8r3",
    // No ssh between the hosts of the test bed.
    consent: ["--accept-not-promotable"],
  },
] as const;

for (const { title, product, consent } of lanes) {
  test(`an abort during the copy or the registration leaves nothing on ${title}, and the same node can be added then`, async () => {
    const lab = await testLab({ hosts: labHosts });
    await using cluster = await createCluster(lab, {
      product,
      nodes: ["srv127", "srv129"],
      newNode: "srv159",
      pool: true,
      sizeMb: 20,
    });
    await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
    await castellan.cli(["cluster", "import", "ESHA"]);
    const before = await takeSnapshot(cluster, castellan);
    const differing = () =>
      settledDifferences(before, cluster, castellan, { loadedRow: cluster.node("srv159") });

    await abortInTheCopy(cluster, castellan, [...consent]);
    expect(await differing()).toEqual([]);
    const descriptors = await descriptorCounts(castellan);

    await abortInTheAttach(cluster, castellan, [...consent]);
    expect(await differing()).toEqual([]);
    await doorsAreOpen(cluster);

    await abortInTheRegistration(cluster, castellan, [...consent]);
    expect(await differing()).toEqual([]);
    expect(await cluster.isRunning("srv159")).toBe(false);
    await descriptorsAreBackAt(descriptors, castellan);
    // The pools run on with a row that their files no longer have: down until their next restart.
    const left = (await cluster.pools?.show("srv127"))?.map((row) => row["status"]);
    expect(left).toEqual(["up", "up", "down"]);

    const again = await castellan.cli(addArguments(cluster, ...consent), { reject: false });
    expect(again.stdout + again.stderr).toContain("is a node of ESHA");
    expect(again.exitCode).toBe(0);
    for (const pool of ["srv127", "srv129"]) {
      const rows = await cluster.pools?.show(pool);
      expect(rows?.map((row) => row["status"])).toEqual(["up", "up", "up"]);
    }
  });
}

async function abortInTheCopy(
  cluster: TestCluster,
  castellan: Castellan,
  consent: readonly string[],
): Promise<void> {
  const cli = await castellan.spawnCli(addArguments(cluster, ...consent, "--max-rate", "4M"));
  const newNode = cluster.node("srv159");
  await waitFor(async () => backupProcess(newNode), { timeoutMs: 30_000, what: "the copy" });
  const id = (await newestOperation(castellan))?.id ?? "";
  const aborted = await castellan.cli(["operation", "abort", id], { reject: false });
  expect(aborted.stdout).toContain("is rolled-back");
  // It is what this command asked for, and not what the other one did.
  expect(aborted.exitCode).toBe(0);
  expect(await cli.exited).toBe(5);
  expect(await backupProcess(newNode)).toBe("");
}

/** Open files and sockets of the coordinator and every agent. */
async function descriptorCounts(castellan: Castellan): Promise<ReadonlyMap<string, number>> {
  const programs = ["srv127", "srv129", "srv159"].map(
    (name) => [name, castellan.agent(name).pid] as const,
  );
  const all = [["coordinator", castellan.coordinator().pid] as const, ...programs];
  const counts = all.map(
    async ([name, pid]) => [name, (await readdir(`/proc/${pid}/fd`)).length] as const,
  );
  return new Map(await Promise.all(counts));
}

/** Looked at until it is so: an agent's own observing opens some for a moment. */
async function descriptorsAreBackAt(
  before: ReadonlyMap<string, number>,
  castellan: Castellan,
): Promise<void> {
  const least = new Map<string, number>();
  await waitFor(
    async () => {
      for (const [name, count] of await descriptorCounts(castellan)) {
        least.set(name, Math.min(count, least.get(name) ?? count));
      }
      return [...before].every(([name, count]) => (least.get(name) ?? count) <= count);
    },
    { timeoutMs: 30_000, intervalMs: 200, what: "as many open descriptors as after one abort" },
  ).catch((cause: unknown) => {
    const words = (counts: ReadonlyMap<string, number>) => JSON.stringify([...counts]);
    throw new Error(`${String(cause)}: ${words(before)}, now ${words(least)}`, { cause });
  });
}

/** At the very moment: over the API, without waiting for a program to start. */
async function abortInTheAttach(
  cluster: TestCluster,
  castellan: Castellan,
  consent: readonly string[],
): Promise<void> {
  const { coordinatorHost, stateDirectory } = castellan;
  const client = createApiClient(coordinatorHost.path(`${stateDirectory}/api.sock`));
  const former = (await newestOperation(castellan))?.id;
  const cli = await castellan.spawnCli(addArguments(cluster, ...consent));
  const id = await waitFor(
    async () => {
      const newest = await newestOperation(castellan);
      return newest?.id === former ? null : newest?.id;
    },
    { timeoutMs: 30_000, what: "the operation" },
  );
  let lastState = "";
  let isAborted = false;
  const endless = new AbortController().signal;
  for await (const update of client.watch<OperationUpdate>(`/operations/${id}/watch`, endless)) {
    if (update.type !== "operation") continue;
    lastState = update.operation.state;
    if (!isAborted && stepOf(update.operation, "attach-pool").state === "started") {
      isAborted = true;
      await client.post(`/operations/${id}/abort`, {});
    }
  }
  expect(isAborted).toBe(true);
  expect(lastState).toBe("rolled-back");
  expect(await cli.exited).toBe(5);
}

/** Whatever was held when the abort came, the kernel lets go of by itself. */
async function doorsAreOpen({ pools }: TestCluster): Promise<void> {
  for (const { host, name } of pools?.nodes ?? []) {
    await waitFor(
      async () => !(await host.exec(["nft", "list", "ruleset"])).stdout.includes("elements"),
      { timeoutMs: 3_000, what: `the door of ${name} to be open` },
    );
  }
}

async function abortInTheRegistration(
  cluster: TestCluster,
  castellan: Castellan,
  consent: readonly string[],
): Promise<void> {
  const cli = await castellan.spawnCli(addArguments(cluster, ...consent, "--max-rate", "20M"));
  await waitFor(async () => backupProcess(cluster.node("srv159")), { timeoutMs: 30_000 });
  const id = (await newestOperation(castellan))?.id ?? "";
  // The proof of reads needs this password: the operation gets as far as there and no further.
  const { host } = cluster.node("srv129");
  const secret = "/var/lib/castellan-agent/secrets/database";
  await host.exec(["mv", secret, `${secret}.away`]);
  const stuck = await untilOperation(castellan, id, ({ state }) => state !== "running");
  expect(stuck.state).toBe("paused");
  expect(stepOf(stuck, "attach-pool").state).toBe("done");
  expect(stepOf(stuck, "prove-reads", "srv129").state).toBe("failed");
  expect(await cli.exited).toBe(4);
  await host.exec(["mv", `${secret}.away`, secret]);
  const aborted = await castellan.cli(["operation", "abort", id], { reject: false });
  expect(aborted.stdout).toContain("is rolled-back");
  expect(aborted.exitCode).toBe(0);
}
