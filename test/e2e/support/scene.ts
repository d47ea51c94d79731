import { expect } from "vitest";
import {
  installCastellan,
  type Castellan,
  type CastellanOptions,
} from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import type { ClusterNode, ClusterOptions } from "#test/harness/cluster-model.ts";
import { createLab, type Lab, type LabOptions } from "#test/harness/lab.ts";
import { settledDifferences, takeSnapshot, type Snapshot } from "#test/harness/snapshot.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { labHosts } from "./hosts.ts";

/** One cluster that goes through one trouble after the other; between them nothing may be left of any. */
export type Scene = AsyncDisposable & {
  readonly lab: Lab;
  readonly cluster: TestCluster;
  readonly castellan: Castellan;
  /** How it was before the first trouble. */
  readonly before: Snapshot;
};

/** For the coordinator: two tries, a moment apart, and a stall after seconds. What the operator reads then matters. */
export const quickSettings = `limits: { attempts: 2, retryFirstMs: 100, retryMostMs: 200 }
addNode: { stallMs: 5000 }
`;

/** Two nodes and a host to be added, PostgreSQL 15 where nothing else is said, under a coordinator that knows them. */
export async function createScene(
  { hosts = labHosts, ...of }: Partial<ClusterOptions> & Partial<LabOptions>,
  programs: Omit<CastellanOptions, "coordinatorHost"> = {},
): Promise<Scene> {
  const lab = await createLab({ hosts });
  const cluster = await createCluster(lab, {
    product: "postgresql",
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    ...of,
  });
  const castellan = await installCastellan(cluster, {
    coordinatorHost: lab.host("coord"),
    ...programs,
  });
  await castellan.cli(["cluster", "import", cluster.name]);
  return {
    lab,
    cluster,
    castellan,
    before: await takeSnapshot(cluster, castellan),
    [Symbol.asyncDispose]: async () => {
      await castellan[Symbol.asyncDispose]();
      await cluster[Symbol.asyncDispose]();
      await lab[Symbol.asyncDispose]();
      lab.assertNoLeftovers();
    },
  };
}

/** What may be left: the new node's row, down, in pools that have loaded it. */
export type Left = { readonly loadedRow?: ClusterNode };

/** The cluster serves, and nothing is left behind. */
export async function expectAsBefore(
  { before, cluster, castellan }: Scene,
  left: Left = {},
): Promise<void> {
  await expectServing({ cluster });
  // A server whose client vanished behind a cut link hears of it with TCP's next repeat, which comes ever later.
  const settling = { ...left, timeoutMs: 120_000 };
  expect(await settledDifferences(before, cluster, castellan, settling)).toEqual([]);
}

/** The standby streams, and replays what is written on the primary. */
export async function expectServing({ cluster }: Pick<Scene, "cluster">): Promise<void> {
  const { lane } = cluster;
  const view = lane.product === "kingbase-v8r3" ? "sys_stat_replication" : "pg_stat_replication";
  await waitFor(
    async () => {
      const rows = await cluster.sql("srv127", `SELECT application_name, state FROM ${view}`);
      return rows.some((row) => Object.values(row).join(" ") === "srv129 streaming");
    },
    { timeoutMs: 30_000, what: "srv129 to stream from srv127" },
  );
  const [row] = await cluster.sql(
    "srv127",
    "INSERT INTO ledger (id, note, written_at) SELECT min(id) - 1, 'a fault', now() FROM ledger RETURNING id::text AS id",
  );
  await waitFor(
    async () =>
      (await cluster.sql("srv129", "SELECT 1 FROM ledger WHERE id = $1", [row?.["id"]])).length ===
      1,
    { timeoutMs: 30_000, what: "the standby to replay a row" },
  );
}

type Status = {
  readonly clusters: readonly { readonly nodes: readonly { name: string; agent: string }[] }[];
  readonly unassigned: readonly { name: string; agent: string }[];
};

/** Until `castellan status` shows these agents so. */
export async function untilAgents(
  { castellan }: Scene,
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

/** Until a node's agent (null: the coordinator) has written that into its log, since it was so long. */
export async function untilLogged(
  { castellan }: Scene,
  node: string | null,
  words: RegExp,
  since = 0,
): Promise<void> {
  let log = "";
  await waitFor(
    async () => {
      log = (await castellan.logs(node)).slice(since);
      return words.test(log);
    },
    {
      timeoutMs: 60_000,
      what: `${words.source} in the log of ${node ?? "the coordinator"}`,
    },
  ).catch((cause: unknown) => {
    const tail = log.split("\n").slice(-12).join("\n");
    throw new Error(`${String(cause)}; it said last\n${tail}`, { cause });
  });
}
