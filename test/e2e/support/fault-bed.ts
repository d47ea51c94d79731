import { expect } from "vitest";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { HostProcess } from "#test/harness/host.ts";
import { createLab, type Lab } from "#test/harness/lab.ts";
import { settledDifferences, takeSnapshot, type Snapshot } from "#test/harness/snapshot.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { labHosts } from "./hosts.ts";
import {
  addArguments,
  backupProcess,
  newestOperation,
  stepOf,
  untilOperation,
  type Operation,
} from "./operations.ts";

/** One cluster that goes through many faults; between them nothing may be left of any. */
export type FaultBed = AsyncDisposable & {
  readonly lab: Lab;
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
};

export type FaultBedOptions = {
  readonly pool?: boolean;
  readonly crashPoints?: boolean;
  /** For the coordinator's settings.yaml. */
  readonly settings: string;
};

/** Two nodes and a host to be added, PostgreSQL 15, about 60 MB to copy. */
export async function faultBed(options: FaultBedOptions): Promise<FaultBed> {
  const lab = await createLab({ hosts: labHosts });
  const cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    sizeMb: 30,
    pool: options.pool ?? false,
  });
  const castellan = await installCastellan(cluster, {
    coordinatorHost: lab.host("coord"),
    crashPoints: options.crashPoints ?? false,
    settings: options.settings,
  });
  await castellan.cli(["cluster", "import", "ESHA"]);
  return {
    lab,
    cluster,
    castellan,
    [Symbol.asyncDispose]: async () => {
      await castellan[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
      lab.assertNoLeftovers();
    },
  };
}

/** A `node add` under way, as its operator sees it. */
export type RunningAdd = {
  readonly id: string;
  readonly cli: HostProcess;
  /** Everything that the command line has printed. */
  said(): string;
  /** Everything before it began. */
  readonly before: Snapshot;
};

/** Starts `node add`, and answers once its operation is journaled. */
export async function beginAdd(
  { cluster, castellan }: FaultBed,
  ...more: readonly string[]
): Promise<RunningAdd> {
  const before = await takeSnapshot(cluster, castellan);
  const former = (await newestOperation(castellan))?.id;
  const cli = await castellan.spawnCli(addArguments(cluster, ...more));
  let said = "";
  for (const stream of [cli.stdout, cli.stderr]) {
    stream?.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
  }
  const { id } = await waitFor(
    async () => {
      const id = (await newestOperation(castellan))?.id;
      return id !== former || !cli.isRunning() ? { id } : null;
    },
    { timeoutMs: 30_000, what: "the operation" },
  );
  if (id === undefined || id === former) throw new Error(`no operation: ${said}`);
  return { id, cli, said: () => said, before };
}

/** The same, once the copy is under way and has come some way: answers which process copies. */
export async function addIntoTheCopy(
  bed: FaultBed,
  ...more: readonly string[]
): Promise<RunningAdd & { readonly copy: string }> {
  const add = await beginAdd(bed, ...more);
  const node = bed.cluster.node("srv159");
  const copy = await waitFor(() => backupProcess(node), { timeoutMs: 30_000, what: "the copy" });
  await copiedMore(bed, 4_000);
  return { ...add, copy };
}

/** Until the target holds so many kilobytes more than now. */
export async function copiedMore({ cluster }: FaultBed, kilobytes: number): Promise<void> {
  const { host, paths } = cluster.node("srv159");
  const held = async (): Promise<number> => {
    const { stdout } = await host.exec(["du", "-sk", paths.root], { reject: false });
    return Number(stdout.split("\t")[0]);
  };
  const atFirst = await held();
  await waitFor(async () => (await held()) >= atFirst + kilobytes, {
    timeoutMs: 30_000,
    what: `${kilobytes} kB more of the copy`,
  });
}

/**
 * The operation gets to the end of its copy and no further: the next step needs a password that is away. Answers the
 * operation as it rests then.
 */
export async function endsItsCopy(
  { castellan, cluster }: FaultBed,
  { id }: Pick<RunningAdd, "id">,
  meanwhile: () => Promise<void> = () => Promise.resolve(),
): Promise<Operation> {
  const { host } = cluster.node("srv159");
  const secret = "/var/lib/castellan-agent/secrets/replication";
  await host.exec(["mv", secret, `${secret}.away`]);
  try {
    await meanwhile();
    const rests = await untilOperation(castellan, id, ({ state }) => state !== "running");
    expect(stepOf(rests, "base-backup").state).toBe("done");
    expect(stepOf(rests, "write-node-files").failure?.message).toContain("replication");
    return rests;
  } finally {
    await host.exec(["mv", `${secret}.away`, secret]);
  }
}

/** Takes the operation back, and proves that the cluster is as it was before. */
export async function abortsCleanly(bed: FaultBed, { id, cli, before }: RunningAdd): Promise<void> {
  const aborted = await bed.castellan.cli(["operation", "abort", id], { reject: false });
  expect(aborted.stdout + aborted.stderr).toContain("is rolled-back");
  expect(aborted.exitCode).toBe(0);
  // Paused before; aborted while it looked on; gone with its host.
  expect([4, 5, null]).toContain(await cli.exited);
  await isAsBefore(bed, before);
}

async function isAsBefore(bed: FaultBed, before: Snapshot): Promise<void> {
  // A server whose client vanished behind a cut link hears of it with TCP's next repeat, which comes ever later.
  const settled = { timeoutMs: 120_000 };
  expect(await settledDifferences(before, bed.cluster, bed.castellan, settled)).toEqual([]);
  await servesOn(bed);
}

/** Writes on the primary, and sees it on the standby. */
export async function servesOn({ cluster }: FaultBed): Promise<void> {
  const [row] = await cluster.sql(
    "srv127",
    "INSERT INTO ledger (id, note, written_at) SELECT min(id) - 1, 'a fault', now() FROM ledger RETURNING id::text AS id",
  );
  await waitFor(
    async () => {
      const seen = await cluster.sql("srv129", "SELECT 1 FROM ledger WHERE id = $1", [row?.["id"]]);
      return seen.length === 1;
    },
    { timeoutMs: 30_000, what: "the standby to replay a row" },
  );
}

type Status = {
  readonly clusters: readonly { readonly nodes: readonly { name: string; agent: string }[] }[];
  readonly unassigned: readonly { name: string; agent: string }[];
};

/** Until `castellan status` shows these agents so. */
export async function untilAgents(
  { castellan }: FaultBed,
  state: "connected" | "away",
  ...nodes: readonly string[]
): Promise<void> {
  await waitFor(
    async () => {
      const { clusters, unassigned } = await castellan.json<Status>(["status"]);
      const all = [...clusters.flatMap((cluster) => cluster.nodes), ...unassigned];
      return nodes.every((name) => all.some((n) => n.name === name && n.agent === state));
    },
    {
      timeoutMs: 30_000,
      intervalMs: 100,
      what: `the agents of ${nodes.join(", ")} to be ${state}`,
    },
  );
}

/** Until an agent has written that into its log, since it was so long. */
export async function untilAgentSays(
  { castellan }: FaultBed,
  node: string,
  words: RegExp,
  since = 0,
): Promise<void> {
  let log = "";
  await waitFor(
    async () => {
      log = (await castellan.logs(node)).slice(since);
      return words.test(log);
    },
    { timeoutMs: 30_000, what: `the agent of ${node} to say ${String(words)}` },
  ).catch((cause: unknown) => {
    const tail = log.split("\n").slice(-12).join("\n");
    throw new Error(`${String(cause)}; it said last\n${tail}`, { cause });
  });
}

/** How often a step was begun, by the journal. */
export function attemptsOf(operation: Operation): Readonly<Record<string, number>> {
  return Object.fromEntries(
    operation.plan.steps.map(({ id }, index) => [id, operation.steps[index]?.attempt ?? 0]),
  );
}
