import { expect } from "vitest";
import type { Castellan } from "#test/harness/castellan.ts";
import type { TestCluster } from "#test/harness/cluster.ts";
import type { ExecResult, HostProcess } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import {
  addArguments,
  backupProcess,
  newestOperation,
  untilOperation,
  type Operation,
} from "./operations.ts";

/** An add-node that runs, with somebody looking on. */
export type UnderWay = { readonly id: string; readonly cli: HostProcess };

/** Starts adding the new node; answers as soon as the operation is in the journal. */
export async function beginAdding(
  castellan: Castellan,
  cluster: TestCluster,
  ...more: string[]
): Promise<UnderWay> {
  const former = (await newestOperation(castellan))?.id;
  const cli = await castellan.spawnCli(addArguments(cluster, ...more));
  let said = "";
  for (const stream of [cli.stdout, cli.stderr]) {
    stream?.on("data", (chunk: Buffer) => (said = `${said}${chunk.toString("utf8")}`));
  }
  const found = await waitFor(
    async () => {
      const newest = await newestOperation(castellan);
      if (newest !== null && newest.id !== former) return { id: newest.id };
      return cli.isRunning() ? null : { id: null };
    },
    { timeoutMs: 30_000, what: "the operation" },
  );
  if (found.id === null) throw new Error(`no operation was begun: ${said}`);
  return { id: found.id, cli };
}

/** Until the copy has brought some of the data: `kilobytes` of it. */
export async function untilCopying(cluster: TestCluster, kilobytes = 10_000): Promise<string> {
  const newNode = cluster.node("srv159");
  const { host, paths } = newNode;
  return waitFor(
    async () => {
      const pid = await backupProcess(newNode);
      const { stdout } = await host.exec(["du", "-sk", paths.root], { reject: false });
      return Number(stdout.split("\t")[0]) > kilobytes ? pid : null;
    },
    { timeoutMs: 60_000, what: `${kilobytes} kB of the copy` },
  );
}

/** Until it does not go on by itself any more; answers what `operation show` says of it then. */
export async function untilRest(
  castellan: Castellan,
  id: string,
  state: string,
): Promise<{ readonly operation: Operation; readonly said: string }> {
  const going = ["planned", "running", "rolling-back"];
  const operation = await untilOperation(castellan, id, (seen) => !going.includes(seen.state));
  const said = (await castellan.cli(["operation", "show", id])).stdout;
  expect(operation.state, said).toBe(state);
  // A person reads this: no defect, no stack.
  expect(said).not.toMatch(/INTERNAL|\bat .*\.js:\d+/);
  return { operation, said };
}

/** Takes the operation back and expects that nothing keeps it from that. */
export async function aborted(castellan: Castellan, id: string): Promise<ExecResult> {
  const answer = await castellan.cli(["operation", "abort", id], { reject: false });
  expect(answer.stdout + answer.stderr).toContain("is rolled-back");
  expect(answer.exitCode).toBe(0);
  return answer;
}

/** The same for one whose agent stands still in the middle of a step: it goes on when the abort is on its way. */
export async function abortedWhileStopped(
  castellan: Castellan,
  id: string,
  node: string,
): Promise<void> {
  const aborting = await castellan.spawnCli(["operation", "abort", id]);
  await untilOperation(castellan, id, ({ state }) => state === "rolling-back");
  castellan.agent(node).kill("SIGCONT");
  await untilRest(castellan, id, "rolled-back");
  expect(await aborting.exited).toBe(0);
}
