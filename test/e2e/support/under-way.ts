import { expect } from "vitest";
import type { HostProcess } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import {
  addArguments,
  backupProcess,
  newestOperation,
  stepOf,
  untilOperation,
  type Operation,
} from "./operations.ts";
import { expectAsBefore, type Scene } from "./scene.ts";

/** A command that is under way, as its operator sees it. */
export type Following = {
  readonly cli: HostProcess;
  /** Everything that it has printed. */
  said(): string;
  ended(): Promise<Ended>;
};

/** How a command ended, all that it said, and the operation that it was about. */
export type Ended = {
  readonly exitCode: number | null;
  readonly said: string;
  readonly operation: Operation;
};

export async function follow(
  { castellan }: Pick<Scene, "castellan">,
  command: readonly string[],
): Promise<Following> {
  const cli = await castellan.spawnCli(command);
  let said = "";
  for (const stream of [cli.stdout, cli.stderr]) {
    stream?.on("data", (chunk: Buffer) => (said += chunk.toString("utf8")));
  }
  return {
    cli,
    said: () => said,
    ended: async () => {
      const exitCode = await cli.exited;
      const operation = await newestOperation(castellan);
      if (operation === null) throw new Error(`no operation; the command said ${said}`);
      return { exitCode, said, operation };
    },
  };
}

/** A command of the CLI, to its end. */
export async function run(scene: Scene, command: readonly string[]): Promise<Ended> {
  return (await follow(scene, command)).ended();
}

/** A `node add` whose operation is in the journal. */
export type Adding = Following & { readonly id: string };

export async function beginAdding(scene: Scene, ...more: readonly string[]): Promise<Adding> {
  const { cluster, castellan } = scene;
  const former = (await newestOperation(castellan))?.id;
  const following = await follow(scene, addArguments(cluster, ...more));
  const { id } = await waitFor(
    async () => {
      const id = (await newestOperation(castellan))?.id;
      return id !== former || !following.cli.isRunning() ? { id } : null;
    },
    { timeoutMs: 30_000, what: "the operation" },
  );
  if (id === undefined || id === former) throw new Error(`no operation: ${following.said()}`);
  return { ...following, id };
}

/** The same, once its copy is under way: answers which process copies. */
export async function addIntoTheCopy(
  scene: Scene,
  ...more: readonly string[]
): Promise<Adding & { readonly copy: string }> {
  const adding = await beginAdding(scene, ...more);
  return { ...adding, copy: await untilCopying(scene) };
}

/** Until a copy has brought some megabytes: answers which process copies. */
export async function untilCopying({ cluster }: Pick<Scene, "cluster">): Promise<string> {
  return waitFor(
    async () => {
      const copy = await backupProcess(cluster.node("srv159"));
      return (await kilobytesHeld({ cluster })) > 4_000 && copy;
    },
    { timeoutMs: 60_000, what: "some megabytes of the copy" },
  );
}

/** Until the target holds so many kilobytes more than now. */
export async function copiedMore(scene: Scene, kilobytes: number): Promise<void> {
  const atFirst = await kilobytesHeld(scene);
  await waitFor(async () => (await kilobytesHeld(scene)) >= atFirst + kilobytes, {
    timeoutMs: 30_000,
    what: `${kilobytes} kB more of the copy`,
  });
}

async function kilobytesHeld({ cluster }: Pick<Scene, "cluster">): Promise<number> {
  const { host, paths } = cluster.node("srv159");
  const { stdout } = await host.exec(["du", "-sk", paths.root], { reject: false });
  return Number(stdout.split("\t")[0]);
}

/**
 * The operation gets to the end of its copy and no further: the next step needs a password that is away. Answers the
 * operation as it rests then.
 */
export async function endsItsCopy(
  { castellan, cluster }: Scene,
  { id }: Pick<Adding, "id">,
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

/** Until it does not go on by itself any more; answers what `operation show` says of it then. */
export async function untilRest(
  { castellan }: Scene,
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

/** Paused with exit status 4 at this step, in these words, and never with a trace of our own program. */
export function expectPause(
  { exitCode, said, operation }: Ended,
  step: string,
  says: readonly (string | RegExp)[],
): void {
  expect(operation.state, said).toBe("paused");
  expect(exitCode, said).toBe(4);
  const failed = operation.plan.steps.filter((_, i) => operation.steps[i]?.state === "failed");
  expect(failed.map(({ id }) => id)).toContain(step);
  // Its lines are filled to the terminal's width.
  const text = said.replaceAll(/\s+/g, " ");
  for (const words of says) {
    if (typeof words === "string") expect(text).toContain(words);
    else expect(text).toMatch(words);
  }
  expect(text).toContain(`castellan operation resume ${operation.id}`);
  expect(said).not.toMatch(/\bat .*\.js:\d+/);
}

/** Takes the operation back, and nothing keeps it from that. */
export async function takeBack(
  { castellan }: Scene,
  { id, cli }: { readonly id: string; readonly cli?: HostProcess },
): Promise<void> {
  const answer = await castellan.cli(["operation", "abort", id], { reject: false });
  expect(answer.stdout + answer.stderr).toContain("is rolled-back");
  expect(answer.stdout + answer.stderr).toContain("Everything that it made was taken back.");
  expect(answer.exitCode).toBe(0);
  // Paused before; aborted while it looked on; gone with its host.
  if (cli !== undefined) expect([4, 5, null]).toContain(await cli.exited);
}

/** The same, and the cluster is as it was before. */
export async function expectTakenBack(
  scene: Scene,
  adding: Parameters<typeof takeBack>[1],
): Promise<void> {
  await takeBack(scene, adding);
  await expectAsBefore(scene);
}

/** How often a step was begun, by the journal. */
export function attemptsOf(operation: Operation): Readonly<Record<string, number>> {
  return Object.fromEntries(
    operation.plan.steps.map(({ id }, index) => [id, operation.steps[index]?.attempt ?? 0]),
  );
}
