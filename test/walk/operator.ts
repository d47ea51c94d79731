import { setTimeout as sleep } from "node:timers/promises";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { addArguments } from "#test/e2e/support/operations.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import type { Scene } from "./inject.ts";
import { mend } from "./mend.ts";
import type { Saboteur } from "./saboteur.ts";
import type { WalkOptions } from "./schedule.ts";

export type OperatorReport = {
  readonly end: "added" | "as before";
  readonly resumes: number;
  readonly aborts: number;
  /** Commands that were refused before an operation began, with their exit status. */
  readonly refusals: number;
};

const mostTries = 6;
/** An operation that says nothing new for so long is stuck: the longest fault lasts 12 s, a retry waits 10 s. */
const mostSilenceMs = 120_000;

/**
 * Adds the node as a patient DBA: mends what is broken, resumes what is paused (or aborts, if that is how this
 * one is), aborts again what needs attention. @throws when the operation gets nowhere.
 */
export async function operate(
  scene: Scene,
  saboteur: Saboteur,
  { whenPaused }: WalkOptions,
  say: (line: string) => void,
): Promise<OperatorReport> {
  const { stage, progress, addOptions } = scene;
  const { castellan, cluster } = stage;
  const tally = { resumes: 0, aborts: 0, refusals: 0 };
  const command = async (...args: string[]): Promise<number> => {
    say(`$ castellan ${args.join(" ")}`);
    const { exitCode, stdout, stderr } = await castellan
      .cli(args, { reject: false, timeoutMs: 240_000 })
      .catch((error: unknown) => ({ exitCode: -1, stdout: "", stderr: String(error) }));
    for (const line of `${stdout}\n${stderr}`.trim().split("\n")) say(`  ${line}`);
    say(`  exit status ${exitCode}`);
    return exitCode;
  };
  for (let tries = 0; tries < mostTries; tries += 1) {
    const operation = await newest(scene);
    const state = operation?.state ?? "none";
    if (state === "succeeded") return { end: "added", ...tally };
    if (state === "rolled-back" || state === "cancelled") return { end: "as before", ...tally };
    if (operation === null) {
      const exitCode = await command(...addArguments(cluster, ...addOptions));
      if ((await newest(scene)) === null) {
        tally.refusals += 1;
        say(`  the add did not begin (exit status ${exitCode})`);
      }
    } else if (state === "paused") {
      if (whenPaused === "abort" || tally.resumes >= 3) {
        tally.aborts += 1;
        await command("operation", "abort", operation.id);
      } else {
        tally.resumes += 1;
        await command("operation", "resume", operation.id);
      }
    } else if (state === "needs-attention") {
      tally.aborts += 1;
      await command("operation", "abort", operation.id);
    }
    await untilRest(scene);
    await saboteur.allHealed();
    await waitFor(() => stage.programs.isRunning("coordinator"), {
      timeoutMs: 30_000,
      what: "the coordinator to be back",
    });
    // What a pool has put aside after the attach is for the DBA to attach again, as the hint of that failure says.
    await mend(stage, hasAttached(progress.operation()) ? [0, 1, 2] : [0, 1]);
    await castellan.connected(["srv127", "srv129", "srv159"]);
  }
  const last = progress.operation();
  throw new Error(
    `after ${mostTries} tries the operation is ${last?.state ?? "none"}: ${last?.failure?.message ?? ""}`,
  );
}

function hasAttached(operation: OperationRecord | null): boolean {
  if (operation?.state !== "paused") return false;
  const index = operation.plan.steps.findIndex(({ kind }) => kind === "attach-pool");
  return operation.steps[index]?.state === "done";
}

/** What the journal says now, once the coordinator answers. */
async function newest({ stage: { castellan } }: Scene): Promise<OperationRecord | null> {
  return waitFor(
    async () => {
      const [first] = await castellan.json<readonly { readonly id: string }[]>(["operation", "list"]); // prettier-ignore
      const show = ["operation", "show", first?.id ?? ""];
      return {
        operation: first === undefined ? null : await castellan.json<OperationRecord>(show),
      };
    },
    { timeoutMs: 60_000, intervalMs: 250, what: "the coordinator's list of operations" },
  ).then(({ operation }) => operation);
}

/** Until the newest operation is at rest. @throws when nothing of it changes any more. */
async function untilRest(scene: Scene): Promise<void> {
  let before = "";
  let changedAt = Date.now();
  for (;;) {
    const operation = scene.progress.operation();
    if (operation === null || !["planned", "running", "rolling-back"].includes(operation.state)) {
      // What was seen last may be old: the coordinator has the word.
      const now = await newest(scene);
      if (now === null || !["planned", "running", "rolling-back"].includes(now.state)) return;
    }
    const seen = JSON.stringify([operation?.state, operation?.steps.map(({ state, attempt }) => [state, attempt])]); // prettier-ignore
    if (seen !== before) changedAt = Date.now();
    before = seen;
    if (Date.now() - changedAt > mostSilenceMs) {
      throw new Error(
        `the operation is ${operation?.state ?? "none"} and nothing happens any more`,
      );
    }
    await sleep(100);
  }
}
