import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from "vitest";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import {
  isStopped,
  killMatching,
  killPostmaster,
  stopMatching,
  stopTree,
} from "#test/harness/faults/process.ts";
import { createLab, type Lab } from "#test/harness/lab.ts";
import { settledDifferences, takeSnapshot, type Snapshot } from "#test/harness/snapshot.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { labHosts } from "../support/hosts.ts";
import {
  backupProcess,
  newestOperation,
  stepOf,
  untilOperation,
  untilWell,
} from "../support/operations.ts";
import {
  aborted,
  abortedWhileStopped,
  beginAdding,
  untilCopying,
  untilRest,
} from "../support/under-way.ts";

/** One cluster with two pools, whose processes die or stand still in the middle of a run. */
let lab: Lab;
let cluster: TestCluster;
let castellan: Castellan;
let before: Snapshot;

beforeAll(async () => {
  lab = await createLab({ hosts: labHosts });
  cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    sizeMb: 30,
    pool: true,
  });
  castellan = await installCastellan(cluster, {
    coordinatorHost: lab.host("coord"),
    crashPoints: true,
  });
  const { coordinatorHost, stateDirectory } = castellan;
  const settings = await coordinatorHost.readFile(`${stateDirectory}/settings.yaml`);
  await castellan.killCoordinator();
  await coordinatorHost.writeFile(
    `${stateDirectory}/settings.yaml`,
    `${settings}\naddNode: { stallMs: 6000 }\n`,
    { owner: cluster.lane.osUser, mode: 0o600 },
  );
  await castellan.startCoordinator();
  await castellan.connected(["srv127", "srv129", "srv159"]);
  await castellan.cli(["cluster", "import", "ESHA"]);
  before = await takeSnapshot(cluster, castellan);
}, 90_000);

afterAll(async () => {
  await castellan?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  await lab?.[Symbol.asyncDispose]();
  lab?.assertNoLeftovers();
});

/** What keeps the cluster from the next test is no part of what this one says. */
afterEach(async () => {
  for (const signal of [
    castellan.agent("srv127"),
    castellan.agent("srv159"),
    castellan.coordinator(),
  ])
    signal.kill("SIGCONT");
  const newest = await newestOperation(castellan);
  if (newest === null || ["succeeded", "rolled-back"].includes(newest.state)) return;
  await castellan.cli(["operation", "abort", newest.id], { reject: false });
});

const slowly = ["--max-rate", "10M"];
const copier = "^/usr/lib/postgresql/15/bin/pg_basebackup ";

test("a copy that is killed, that stands still or that loses its server is begun anew by itself, each time from nothing", async () => {
  const { id, cli } = await beginAdding(castellan, cluster, ...slowly);
  const first = await untilCopying(cluster);
  expect(await killMatching(cluster.node("srv159").host, copier)).toBeGreaterThan(0);
  const second = await untilCopyAfter(first);

  await using stopped = await stopMatching(cluster.node("srv159").host, copier);
  const third = await untilCopyAfter(second);
  // It was ended although it could not hear: nothing writes into the new copy but the new program.
  expect((await backupProcess(cluster.node("srv159"))).split("\n")).toHaveLength(1);
  await stopped.heal();

  // The kernel's way with a backend out of memory: the server ends all its sessions and recovers.
  const [backend] = await cluster.sql(
    "srv127",
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> '' AND pid <> pg_backend_pid() LIMIT 1",
  );
  await cluster.node("srv127").host.exec(["kill", "-KILL", String(backend?.["pid"])]);
  await untilCopyAfter(third);
  const seen = await untilOperation(castellan, id, ({ steps }) => steps.length > 0);
  expect(stepOf(seen, "base-backup").attempt).toBe(4);
  const said = (await castellan.cli(["why", id])).stdout;
  expect(said.match(/base-backup\/srv159: again-with-backoff/g)).toHaveLength(3);
  await isWell();
  await aborted(castellan, id);
  expect(await cli.exited).toBe(5);
  await isAsBefore();
});

test("an agent and a coordinator that stand still for longer than they are waited for go on when they can", async () => {
  await stopAgentAt("srv159", "agent:checked:write-node-files");
  const { id, cli } = await beginAdding(castellan, cluster, ...slowly);
  const copy = await untilCopying(cluster);
  const agent = await stopTree(castellan.agent("srv159").pid);
  await untilLogged(null, /the agent of srv159 is gone/);
  const coordinator = await stopTree(castellan.coordinator().pid);
  await untilLogged("srv127", /nothing heard for \d+ ms/);
  expect(await backupProcess(cluster.node("srv159"))).toBe(copy);
  await isWell();
  await agent.heal();
  await coordinator.heal();
  await castellan.connected(["srv127", "srv129", "srv159"]);
  const { pid } = castellan.agent("srv159");
  await waitFor(() => isStopped(pid), { timeoutMs: 60_000, what: "the step after the copy" });
  const seen = await untilOperation(castellan, id, () => true);
  expect(stepOf(seen, "base-backup")).toMatchObject({ state: "done", attempt: 1 });
  await abortedWhileStopped(castellan, id, "srv159");
  expect(await cli.exited).toBe(5);
  await isAsBefore();
});

test("a new standby that dies between its start and the comparison pauses the run; started again, it is compared", async () => {
  const { id, cli } = await stoppedAt("srv159", "agent:checked:verify-data");
  const { host, paths } = cluster.node("srv159");
  await killPostmaster(host, paths.pidFile);
  castellan.agent("srv159").kill("SIGCONT");
  const { said } = await untilRest(castellan, id, "paused");
  expect(said).toContain("the server ended without a clean stop");
  expect(said).toContain("start it, then resume; or abort");
  expect(await cli.exited).toBe(4);
  await isWell();
  await cluster.start("srv159");
  await stopAgentAt("srv159", "agent:checked:join-regime");
  const resumed = await castellan.spawnCli(["operation", "resume", id]);
  await waitFor(() => isStopped(castellan.agent("srv159").pid), { timeoutMs: 60_000 });
  await abortedWhileStopped(castellan, id, "srv159");
  expect(await resumed.exited).toBe(5);
  // Of the start by hand.
  await host.exec(["rm", paths.logFile]);
  await isAsBefore();
});

test("a door that is held opens by itself when the agent stands still and its helper and a pool are dead", async () => {
  const { id, cli } = await stoppedAt("srv127", "agent:checked:attach-backend");
  await killMatching(cluster.node("srv127").host, "castellan-root");
  await killMatching(cluster.node("srv129").host, poolProcess);
  await doorsAreOpen();
  castellan.agent("srv127").kill("SIGCONT");
  const { said } = await untilRest(castellan, id, "paused");
  // Which pool, and what of it: the step itself is the coordinator's.
  expect(said).toMatch(/(?:REFUSED|POOL_UNREACHABLE|STALLED): srv12[79]: /);
  expect(await cli.exited).toBe(4);
  await cluster.pools?.start("srv129");
  await aborted(castellan, id);
  await isAsBefore();
});

const poolProcess = "^(/usr/sbin/)?pgpool";

/** Whatever was held, the kernel lets go of it by itself. */
async function doorsAreOpen(): Promise<void> {
  for (const { host, name } of cluster.pools?.nodes ?? []) {
    await waitFor(
      async () => !(await host.exec(["nft", "list", "ruleset"])).stdout.includes("elements"),
      { timeoutMs: 5_000, what: `the door of ${name} to be open` },
    );
  }
}

test("an existing standby that dies in the copy keeps nobody from adding the node", async () => {
  const { id, cli } = await beginAdding(castellan, cluster, ...slowly);
  await untilCopying(cluster);
  const { host, paths } = cluster.node("srv129");
  await killPostmaster(host, paths.pidFile);
  await untilRest(castellan, id, "succeeded");
  expect(await cli.exited).toBe(0);
  const alerts = await castellan.json<{ cause: string }[]>(["alert", "list"]);
  expect(alerts.map(({ cause }) => cause).join()).toContain("database-dead");
  expect((await cluster.pools?.show("srv127"))?.map((row) => row["status"])).toEqual([
    "up",
    "down",
    "up",
  ]);
  const rows = "SELECT count(*)::int AS n FROM bulk";
  expect(await cluster.sql("srv159", rows)).toEqual(await cluster.sql("srv127", rows));
  await cluster.start("srv129");
  await isWell();
});

/** Until another copy than that one has brought something. */
async function untilCopyAfter(former: string): Promise<string> {
  return waitFor(
    async () => {
      const copy = await untilCopying(cluster);
      return copy !== former && copy;
    },
    { timeoutMs: 90_000, what: "another copy" },
  );
}

async function stopAgentAt(node: string, point: string): Promise<void> {
  await castellan.killAgent(node);
  await castellan.startAgent(node, { CASTELLAN_STOP_AT: point });
  await castellan.connected([node]);
}

async function stoppedAt(node: string, point: string) {
  await stopAgentAt(node, point);
  const underWay = await beginAdding(castellan, cluster);
  const agent = castellan.agent(node);
  onTestFinished(() => agent.kill("SIGCONT"));
  await waitFor(() => isStopped(agent.pid), { timeoutMs: 60_000, what: `${node} at ${point}` });
  return underWay;
}

async function untilLogged(node: string | null, words: RegExp): Promise<void> {
  const from = (await castellan.logs(node)).length;
  await waitFor(async () => words.test((await castellan.logs(node)).slice(from)), {
    timeoutMs: 60_000,
    what: `${words.source} in the log of ${node ?? "the coordinator"}`,
  });
}

async function isWell(): Promise<void> {
  await waitFor(
    async () => {
      const [row] = await cluster.sql(
        "srv127",
        "SELECT count(*)::int AS n FROM pg_stat_replication WHERE application_name = 'srv129' AND state = 'streaming'",
      );
      return row?.["n"] === 1;
    },
    { timeoutMs: 30_000, what: "srv129 to stream" },
  );
  expect(await cluster.poolSql("SELECT 1 AS one")).toEqual([{ one: 1 }]);
}

async function isAsBefore(): Promise<void> {
  await isWell();
  await untilWell(castellan, cluster);
  expect(
    await settledDifferences(before, cluster, castellan, { loadedRow: cluster.node("srv159") }),
  ).toEqual([]);
}
