import { expect, onTestFinished } from "vitest";
import { isStopped } from "#test/harness/faults/process.ts";
import type { HostProcess } from "#test/harness/host.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { untilOperation } from "./operations.ts";
import type { Scene } from "./scene.ts";
import { beginAdding, follow, untilRest, type Adding, type Ended, type Following } from "./under-way.ts"; // prettier-ignore

/** A moment of a run at which a program stands still until it is told to go on. */
export type Instant = {
  /** The node whose agent is stopped there; null for the coordinator. */
  readonly of: string | null;
  /** A name of shared/crash-point.ts. */
  readonly point: string;
};

/** Starts the program anew, to stop itself at that instant. */
export async function startToStopAt(
  { castellan }: Scene,
  { of, point }: Instant,
): Promise<HostProcess> {
  const env = { CASTELLAN_STOP_AT: point };
  if (of === null) {
    await castellan.killCoordinator();
    await castellan.startCoordinator(env);
  } else {
    await castellan.killAgent(of);
    await castellan.startAgent(of, env);
  }
  await castellan.connected(["srv127", "srv129", "srv159"]);
  return of === null ? castellan.coordinator() : castellan.agent(of);
}

export async function untilStopped({ pid }: HostProcess): Promise<void> {
  await waitFor(() => isStopped(pid), { timeoutMs: 60_000, what: "a program to stand still" });
}

/** An addition in which an agent stands still at a point. */
export async function addingStoppedAt(
  scene: Scene,
  of: string,
  point: string,
  ...more: readonly string[]
): Promise<Adding> {
  const agent = await startToStopAt(scene, { of, point });
  onTestFinished(() => agent.kill("SIGCONT"));
  const adding = await beginAdding(scene, ...more);
  await untilStopped(agent);
  return adding;
}

/**
 * Runs a command that drives an operation, stops a program at a named instant of it, changes the world meanwhile, lets it
 * go on, and waits until the command ends.
 */
export async function inTheInstant(
  scene: Scene,
  instant: Instant,
  command: readonly string[],
  change: () => Promise<unknown>,
): Promise<Ended> {
  return (await pastTheInstant(scene, instant, command, change)).ended();
}

/** The same, not waiting for the end. */
export async function pastTheInstant(
  scene: Scene,
  instant: Instant,
  command: readonly string[],
  change: () => Promise<unknown>,
): Promise<Following> {
  const stopped = await startToStopAt(scene, instant);
  const running = await follow(scene, command);
  const fail = (why: string): never => {
    throw new Error(`${command.join(" ")}: ${why}; it said ${running.said()}`);
  };
  try {
    await waitFor(() => isStopped(stopped.pid) || !running.cli.isRunning(), {
      timeoutMs: 60_000,
      intervalMs: 10,
      what: `${instant.of ?? "the coordinator"} to be at ${instant.point}`,
    }).catch((cause: unknown) => fail(String(cause)));
    if (!isStopped(stopped.pid)) fail(`it ended before ${instant.point}`);
    await change();
  } finally {
    stopped.kill("SIGCONT");
  }
  return running;
}

/** Takes an operation back whose agent stands still in the middle of a step: that goes on when the abort is on its way. */
export async function abortWhileStopped(scene: Scene, id: string, node: string): Promise<void> {
  const { castellan } = scene;
  const aborting = await castellan.spawnCli(["operation", "abort", id]);
  await untilOperation(castellan, id, ({ state }) => state === "rolling-back");
  castellan.agent(node).kill("SIGCONT");
  await untilRest(scene, id, "rolled-back");
  expect(await aborting.exited).toBe(0);
}
