import { createInterface } from "node:readline";
import type { ProductId } from "#shared/domain/cluster.ts";
import { installCastellan, type Castellan } from "#test/harness/castellan.ts";
import { createCluster, type TestCluster } from "#test/harness/cluster.ts";
import { createLab, type Lab } from "#test/harness/lab.ts";
import { startLoad } from "#test/harness/load.ts";
import type { LoadStats } from "#test/harness/load-generator/messages.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { keepUntilInterrupted } from "./keep.ts";
import { isProved, proofLines, type DemoResult } from "./proof.ts";

export type DemoOptions = {
  readonly product: ProductId;
  readonly sizeMb: number;
  readonly readers: number;
  readonly keep: boolean;
  readonly isRoot: boolean;
  readonly say: (line: string) => void;
  /** Told as soon as it is known: a kept cluster goes on after it. */
  readonly report: (result: DemoResult) => void;
};

/** Builds the case study's cluster, adds srv159 while clients read and write, and counts what they felt. */
export async function runDemo(options: DemoOptions): Promise<void> {
  const { say } = options;
  await using lab = await createLab({ hosts: demoHosts(options.isRoot) });
  for (const line of introduction(lab, options)) say(line);
  await using cluster = await createCluster(lab, {
    product: options.product,
    nodes: ["srv127", "srv129"],
    newNode: "srv159",
    pool: true,
    sizeMb: options.sizeMb,
    poolSettings: { num_init_children: "48" },
  });
  await using castellan = await installCastellan(cluster, { coordinatorHost: lab.host("coord") });
  await castellan.cli(["cluster", "import", cluster.name]);
  await using load = await startLoad(cluster, lab.host("client"), {
    readers: options.readers,
    writers: 1,
  });
  say("");
  say("Before:");
  await show(castellan, ["status"], say);
  say(
    "A writer and readers work through the pool and never retry. Now, as an operator would type it:",
  );
  const began = Date.now();
  const address = cluster.newNode?.address ?? "";
  const exitCode = await show(
    castellan,
    ["node", "add", cluster.name, "srv159", "--address", address, "--yes", ...consent(options)],
    say,
  );
  const addNodeSeconds = (Date.now() - began) / 1000;
  say("");
  // Sessions keep the backend that they began with: the new node gets its share of fresh ones.
  await waitFor(async () => ((await load.stats(began)).readsByServer[address] ?? 0) >= 20, {
    timeoutMs: 15_000,
    what: "client reads answered by srv159",
  }).catch(() => undefined); // counted below: no reads make the demo fail
  const stats = await load.stop(began);
  say("After:");
  await show(castellan, ["status"], say);
  const rowsReadBack = exitCode === 0 ? await readBack(cluster, stats) : 0;
  const evidence =
    exitCode === 0 ? await operationEvidence(castellan) : { bytesCopied: 0, registration: "none" };
  const result: DemoResult = {
    ok: false,
    product: options.product,
    ...evidence,
    addNodeSeconds,
    clientQueries: stats.statements + stats.freshConnections,
    clientErrors: stats.clientErrors,
    sessionsLost: stats.sessionsLost,
    stallP95Ms: stats.latency.p95Ms,
    stallMaxMs: stats.latency.maxMs,
    rowsAcknowledged: stats.acknowledgedCount,
    rowsReadBack,
    readsAnsweredByNewNode: stats.readsByServer[address] ?? 0,
  };
  const ok = exitCode === 0 && isProved(result, stats, lab);
  for (const line of proofLines(result, stats, lab, ok)) say(line);
  options.report({ ...result, ok });
  if (options.keep) await keepUntilInterrupted(castellan, cluster, say);
}

function demoHosts(isRoot: boolean): { name: string; address: string }[] {
  const network = isRoot ? "192.168.4" : "127.0.4";
  return [
    { name: "srv127", address: `${network}.127` },
    { name: "srv129", address: `${network}.129` },
    { name: "srv159", address: `${network}.159` },
    { name: "coord", address: `${network}.10` },
    { name: "client", address: `${network}.20` },
  ];
}

function introduction(lab: Lab, { product }: DemoOptions): string[] {
  const lines = [
    "Building cluster ESHA: srv127 (primary), srv129 (standby), a pool on each; srv159 has the software and nothing else.",
  ];
  if (product === "kingbase-v8r3") {
    lines.push(
      "KingbaseES itself can't be had: it is emulated by PostgreSQL 10 and pgpool-II 4.3 behind the product's own names.",
    );
  }
  if (lab.mode === "loopback") {
    lines.push(
      "Not root: the hosts are loopback addresses, so every client appears as 127.0.0.1, the pools run without watchdog",
      "and virtual address, and there is no packet filter to hold the door with: each session may have to reconnect once.",
    );
  }
  return lines;
}

/** The demo's hosts have no ssh, without which the vendor's own failover could not promote srv159. */
function consent({ product }: DemoOptions): string[] {
  return product === "kingbase-v8r3" ? ["--accept-not-promotable"] : [];
}

/** Runs a castellan command and shows its lines as they come. Answers its exit status. */
async function show(
  castellan: Castellan,
  args: readonly string[],
  say: (line: string) => void,
): Promise<number> {
  say(`$ castellan ${args.join(" ")}`);
  const child = await castellan.spawnCli(args);
  const streams = [child.stdout, child.stderr].map(async (stream) => {
    if (stream === null) return;
    for await (const line of createInterface({ input: stream })) say(line);
  });
  const exitCode = await child.exited;
  await Promise.all(streams);
  return exitCode ?? 1;
}

/** How many of the keys that the writer was told are written can be read from srv159. */
async function readBack(cluster: TestCluster, stats: LoadStats): Promise<number> {
  let found = 0;
  for (const [first, last] of stats.acknowledged) {
    const count = async () => {
      const rows = await cluster.sql(
        "srv159",
        "SELECT count(*)::int AS n FROM ledger WHERE id BETWEEN $1 AND $2",
        [first, last],
      );
      return Number(rows[0]?.["n"] ?? 0);
    };
    // The last rows may still be on their way to an asynchronous standby.
    await waitFor(async () => (await count()) === last - first + 1, {
      timeoutMs: 10_000,
      what: `keys ${first} to ${last} on srv159`,
    }).catch(() => undefined);
    found += await count();
  }
  return found;
}

async function operationEvidence(
  castellan: Castellan,
): Promise<{ bytesCopied: number; registration: string }> {
  type Operation = {
    readonly plan: {
      readonly steps: readonly {
        readonly kind: string;
        readonly args: { readonly holdDoor?: boolean };
      }[];
    };
    readonly steps: readonly { readonly evidence: { readonly copiedBytes?: number } | null }[];
  };
  const operation = await castellan.json<Operation>(["operation", "show"]);
  const { steps } = operation.plan;
  const index = (kind: string) => steps.findIndex((step) => step.kind === kind);
  const held = steps[index("attach-pool")]?.args.holdDoor === true;
  const way = index("append-backend") === -1 ? "attach" : "reload+attach";
  return {
    bytesCopied: operation.steps[index("base-backup")]?.evidence?.copiedBytes ?? 0,
    // The step fails where a door that was to be held can't be.
    registration: held ? `${way}, door held` : way,
  };
}
