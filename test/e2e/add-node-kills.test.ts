import { expect, test } from "vitest";
import { copyMarkerFor, stagingDirectoryFor } from "#shared/domain/names.ts";
import { version } from "#shared/version.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { ClusterNode } from "#test/harness/cluster-model.ts";
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

const lane = {
  product: "postgresql",
  nodes: ["srv127", "srv129"],
  newNode: "srv159",
  sizeMb: 40,
} as const;
/** About six seconds of copying. */
const slowly = ["--max-rate", "10M"];
/** About eighty. */
const verySlowly = ["--max-rate", "800K"];
const nextVersion = "99.1.0";

test("a coordinator that is gone for a whole minute of the base backup goes on with the same backup process", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, { ...lane, pool: true });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", "ESHA"]);
  const cli = await castellan.spawnCli(addArguments(cluster, ...verySlowly));
  const said: string[] = [];
  cli.stderr?.on("data", (data: Buffer) => said.push(data.toString("utf8")));
  const { id, pid, newNode } = await inTheCopy(castellan, cluster);

  await castellan.killCoordinator();
  const goneAt = performance.now();
  await waitFor(
    async () => {
      expect(await backupProcess(newNode)).toBe(pid);
      return performance.now() - goneAt > 60_000;
    },
    { timeoutMs: 90_000, intervalMs: 1_000, what: "a minute without a coordinator" },
  );
  const copied = await stagedKilobytes(newNode);
  await castellan.startCoordinator();
  expect(await backupProcess(newNode)).toBe(pid);
  await waitFor(async () => (await stagedKilobytes(newNode)) > copied, {
    timeoutMs: 30_000,
    what: "the copy to go on",
  });

  const done = await untilOperation(castellan, id, ({ state }) => state !== "running");
  expect(done).toMatchObject({ state: "succeeded", failure: null });
  expect(stepOf(done, "base-backup").attempt).toBe(1);
  // Whoever looked on was told how to look on again.
  expect(await cli.exited).toBe(6);
  expect(said.join("")).toContain(`castellan operation watch ${id}`);
  expect((await castellan.cli(["operation", "watch", id])).stdout).toContain("is a node of ESHA");
  await isANode(cluster);
  const rows = await cluster.pools?.show("srv127");
  expect(rows?.map((row) => row["status"])).toEqual(["up", "up", "up"]);
});

test("the new node's agent, killed in the base backup and then upgraded, adopts the same backup process each time", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, lane);
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", "ESHA"]);
  const cli = await castellan.spawnCli(addArguments(cluster, "--max-rate", "4M"));
  const { id, pid, newNode } = await inTheCopy(castellan, cluster);

  await castellan.killAgent("srv159");
  expect(await backupProcess(newNode)).toBe(pid);
  await castellan.startAgent("srv159");
  await castellan.connected(["srv159"]);
  expect(await backupProcess(newNode)).toBe(pid);

  const bundle = await installNextAgent(newNode);
  castellan.agent("srv159").kill("SIGTERM");
  await castellan.agent("srv159").exited;
  expect(await backupProcess(newNode)).toBe(pid);
  await castellan.startAgent("srv159", {}, { bundle });
  await castellan.connected(["srv159"]);
  expect(await backupProcess(newNode)).toBe(pid);
  expect((await castellan.cli(["status"])).stdout).toContain(`connected (${nextVersion})`);

  const done = await untilOperation(castellan, id, ({ state }) => state !== "running");
  expect(done).toMatchObject({ state: "succeeded", failure: null });
  // Told again after each restart, it found the copy under way.
  expect(stepOf(done, "base-backup").attempt).toBe(3);
  expect(await cli.exited).toBe(0);
  await isANode(cluster);
});

test("a base backup that is killed twice is begun anew in a directory of its own, and touches nothing that lies beside", async () => {
  const lab = await testLab({ hosts: labHosts });
  await using cluster = await createCluster(lab, lane);
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", "ESHA"]);
  const { host, paths } = cluster.node("srv159");
  const own = { owner: cluster.lane.osUser, mode: 0o600 };
  const foreign = [`${paths.root}/notes.txt`, `${paths.root}/other.castellan/PG_VERSION`];
  await host.makeDirectory(`${paths.root}/other.castellan`, { owner: cluster.lane.osUser });
  for (const file of foreign) await host.writeFile(file, "a person's", own);

  const cli = await castellan.spawnCli(addArguments(cluster, ...slowly));
  const { id, newNode } = await inTheCopy(castellan, cluster);
  const staging = stagingDirectoryFor(paths.dataDir);
  const marker = async () => JSON.parse(await host.readFile(copyMarkerFor(staging))) as unknown;
  expect(await marker()).toMatchObject({ operationId: id, generation: 1 });
  const first = await killCopy(newNode);
  await untilCopyOfAnother(newNode, first);
  expect(await marker()).toMatchObject({ operationId: id, generation: 2 });
  const second = await killCopy(newNode);
  await untilCopyOfAnother(newNode, second);

  const done = await untilOperation(castellan, id, ({ state }) => state !== "running");
  expect(done).toMatchObject({ state: "succeeded", failure: null });
  expect(stepOf(done, "base-backup").attempt).toBe(3);
  expect(await cli.exited).toBe(0);
  for (const file of foreign) expect(await host.readFile(file)).toBe("a person's");
  expect([staging, copyMarkerFor(staging)].filter((path) => host.exists(path))).toEqual([]);
  await isANode(cluster);
});

/** The same agent of another version, as an upgrade puts it on a host. */
async function installNextAgent({ host }: ClusterNode): Promise<string> {
  const { stdout: text } = await host.exec(["cat", `${host.projectPath}/dist/castellan-agent.js`]);
  const next = text.replace(`version="${version}"`, `version="${nextVersion}"`);
  expect(next).not.toBe(text);
  await host.makeDirectory("/opt/next");
  await host.writeFile("/opt/next/castellan-agent.mjs", next, { mode: 0o644 });
  return "/opt/next/castellan-agent.mjs";
}

/** The copying program alone: what it started has to be found. Answers its process group, which is its job's. */
async function killCopy(newNode: ClusterNode): Promise<number> {
  const [program] = await copyPrograms(newNode);
  if (program === undefined) throw new Error("no copy runs");
  await newNode.host.exec(["kill", "-9", String(program.pid)]);
  return program.group;
}

async function untilCopyOfAnother(newNode: ClusterNode, group: number): Promise<void> {
  await waitFor(
    async () => {
      const groups = (await copyPrograms(newNode)).map((program) => program.group);
      return groups.length > 0 && !groups.includes(group);
    },
    { timeoutMs: 60_000, what: "another copy, and nothing of the one that was killed" },
  );
}

/** The program that copies, and the one that it started to take the WAL. */
async function copyPrograms({
  host,
}: ClusterNode): Promise<readonly { readonly pid: number; readonly group: number }[]> {
  const { stdout } = await host.exec(["ps", "-eo", "pid=,pgid=,stat=,comm="]);
  return stdout.split("\n").flatMap((line) => {
    const [pid, group, state = "", name] = line.trim().split(/\s+/);
    if (name !== "pg_basebackup" || state.startsWith("Z")) return [];
    return [{ pid: Number(pid), group: Number(group) }];
  });
}

/** Waits until the operation's copy is under way and has come some way. */
async function inTheCopy(
  castellan: Castellan,
  cluster: TestCluster,
): Promise<{ readonly id: string; readonly pid: string; readonly newNode: ClusterNode }> {
  const newNode = cluster.node("srv159");
  const pid = await waitFor(async () => backupProcess(newNode), {
    timeoutMs: 30_000,
    what: "the copy to begin",
  });
  await waitFor(async () => (await stagedKilobytes(newNode)) > 4_000, {
    timeoutMs: 30_000,
    what: "4 MB of the copy",
  });
  const operation = await newestOperation(castellan);
  if (operation === null) throw new Error("no operation");
  return { id: operation.id, pid, newNode };
}

async function stagedKilobytes({ host, paths }: ClusterNode): Promise<number> {
  const { stdout } = await host.exec(["du", "-sk", paths.root], { reject: false });
  return Number(stdout.split("\t")[0]);
}

async function isANode(cluster: TestCluster): Promise<void> {
  const slots = await cluster.sql(
    "srv127",
    "SELECT slot_name::text AS name, active FROM pg_replication_slots ORDER BY 1",
  );
  expect(slots).toEqual([
    { name: "slot_srv129", active: true },
    { name: "slot_srv159", active: true },
  ]);
  const rows = "SELECT count(*)::int AS n FROM bulk";
  expect(await cluster.sql("srv159", rows)).toEqual(await cluster.sql("srv127", rows));
  expect(await backupProcess(cluster.node("srv159"))).toBe("");
}
