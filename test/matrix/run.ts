import { Failure } from "#shared/errors.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { differences } from "#test/harness/snapshot.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import type { Bed } from "./bed.ts";
import type { Course } from "./course.ts";
import { likeness } from "./likeness.ts";
import { atRest, isAtRest, newestOperation } from "./operation.ts";
import { powerCycle } from "./power-cycle.ts";
import type { Undisturbed } from "./record.ts";
import { snapshotOf } from "./snapshot-of.ts";
import { untilStopped } from "./stopped.ts";
import { coordinatorName, type Mode, type Strike } from "./strike.ts";

/** How a run ended. */
export type RunEnd = {
  /** The operation's state; "refused" where none was begun. */
  readonly state: string;
  /** What is wrong with it; empty when all is well. */
  readonly complaints: readonly string[];
  /** Nothing at all is left of it: the next run may begin on this bed as it is. */
  readonly isPristine: boolean;
};

/** One strike on a bed that is as it was after the installation. */
export async function performStrike(
  course: Course,
  bed: Bed,
  strike: Strike,
  undisturbed: Undisturbed,
): Promise<RunEnd> {
  const end = await modes[strike.mode](course, bed, strike);
  const judged = (state: string, wanted: "after" | "before") =>
    judge(course, bed, state, wanted, undisturbed);
  if (end === null) return judged("refused", "before");
  const { failure, resumedAfter } = end;
  const wanted = end.state === "succeeded" ? "after" : "before";
  const state =
    resumedAfter === undefined ? end.state : `${end.state} (resumed after: ${resumedAfter})`;
  const verdict = await judged(state, wanted);
  const isAllowed = allowed[strike.mode].includes(end.state);
  const said = failure === null ? "" : `: ${failure.message} ${failure.evidence.join(" | ")}`;
  return isAllowed
    ? verdict
    : { ...verdict, complaints: [`it ended ${state}${said}`, ...verdict.complaints.slice(0, 10)] };
}

const allowed: Readonly<Record<Mode, readonly string[]>> = {
  resume: ["succeeded"],
  // Succeeded: the strike came when everything was done, and the abort too late.
  abort: ["rolled-back", "cancelled", "succeeded"],
  undo: ["rolled-back"],
  // An agent may be back before anybody has noticed.
  preflight: ["succeeded"],
  "power-off": ["succeeded"],
  "power-off-abort": ["rolled-back", "cancelled", "succeeded"],
};

type End = OperationRecord & { readonly resumedAfter?: string };

const modes: Readonly<
  Record<Mode, (course: Course, bed: Bed, strike: Strike) => Promise<End | null>>
> = {
  resume: async (course, bed, strike) => {
    const isBegun = await strikeDown(course, bed, strike);
    await bed.launch(strike.process);
    if (!isBegun) return null;
    return goneOn(bed, await operationAfter(bed));
  },
  abort: async (course, bed, strike) => {
    if (await strikeDown(course, bed, strike)) return launchedToAbort(course, bed, strike.process);
    await bed.launch(strike.process);
    return null;
  },
  undo: async (course, bed, strike) => {
    const { process, point } = course.last;
    const victim = { [strike.process]: crashAt(strike) };
    await bed.begin({ ...victim, [process]: { CASTELLAN_STOP_AT: point, ...victim[process] } });
    await course.prepare(bed);
    const { id } = await course.start(bed);
    await untilStopped(bed.process(process), point);
    await course.abortAtLast(bed, id);
    await untilDead(bed, strike);
    await bed.launch(strike.process);
    return atRest(bed, id);
  },
  preflight: async (course, bed, strike) => {
    await bed.begin({ [strike.process]: crashAt(strike) });
    await course.prepare(bed);
    const answer = await course.start(bed).catch((error: unknown) => error);
    await untilDead(bed, strike);
    await bed.launch(strike.process);
    await bed.connected();
    if (answer instanceof Failure) return null;
    if (answer instanceof Error) throw answer;
    return atRest(bed, await operationAfter(bed));
  },
  "power-off": async (course, bed, strike) => {
    await powerCycle(course, bed, strike);
    await bed.launch(strike.process);
    return goneOn(bed, await operationAfter(bed));
  },
  "power-off-abort": async (course, bed, strike) => {
    await powerCycle(course, bed, strike);
    return launchedToAbort(course, bed, strike.process);
  },
};

/** Starts the operation with the victim's end built in, and waits for that. false where it came before there was one. */
async function strikeDown(course: Course, bed: Bed, strike: Strike): Promise<boolean> {
  await bed.begin({ [strike.process]: crashAt(strike) });
  await course.prepare(bed);
  // The coordinator may be gone before it can answer.
  const asking = course.start(bed).then(
    () => null,
    (error: unknown) => error,
  );
  await untilDead(bed, strike).catch(async (error: unknown) => {
    throw (await asking) ?? error;
  });
  const refusal = await asking;
  if (refusal === null || strike.process === coordinatorName) return true;
  // Only small files that every command writes are written in a preflight, too.
  if (/^file:[^/]*$/.test(strike.point)) return false;
  throw refusal;
}

/**
 * At rest; one that pauses for what may pass (a door that a busy machine could not hold in time) is resumed once, as an
 * operator would, and its result says so.
 */
async function goneOn(bed: Bed, id: string): Promise<End> {
  const end = await atRest(bed, id);
  if (end.state !== "paused" || end.failure?.retryable !== true) return end;
  await bed.api.post(`/operations/${id}/resume`, {});
  return { ...(await atRest(bed, id)), resumedAfter: end.failure.message };
}

/** The run came to its end without the victim having been there that often: how often something is tried varies. */
export class NotReached extends Error {}

async function untilDead(bed: Bed, strike: Strike): Promise<void> {
  const victim = bed.process(strike.process);
  let restsSince: number | null = null;
  const gone = async (): Promise<"dead" | "over" | null> => {
    if (!victim.isRunning()) return "dead";
    const newest = await newestOperation(bed).catch(() => null);
    if (newest === null || newest.id === bed.former() || !isAtRest(newest)) return null;
    // Something may be on its way to the disk after the end.
    restsSince ??= performance.now();
    return performance.now() - restsSince > 5_000 ? "over" : null;
  };
  const what = `${strike.process} to reach ${strike.point}`;
  const seen = await waitFor(gone, { timeoutMs: 90_000, intervalMs: 20, what });
  if (seen === "over") throw new NotReached(`it was over before ${what}@${strike.occurrence}`);
  await victim.exited;
}

function crashAt({ point, occurrence }: Strike): Readonly<Record<string, string>> {
  return { CASTELLAN_CRASH_AT: `${point}@${occurrence}` };
}

async function operationAfter(bed: Bed): Promise<string> {
  const newest = await waitFor(() => newestOperation(bed), { what: "the coordinator to answer" });
  if (newest.id === bed.former()) throw new Error("the operation is not in the journal");
  return newest.id;
}

/** Starts the victim again and aborts the operation in the state that the strike has left. */
async function launchedToAbort(course: Course, bed: Bed, victim: string): Promise<OperationRecord> {
  // Nothing goes on before the abort is there; an agent is not heard of again so soon.
  const held = victim === coordinatorName ? bed.agents.map((name) => bed.process(name)) : [];
  for (const agent of held) agent.kill("SIGSTOP");
  await bed.launch(victim);
  const id = await operationAfter(bed);
  const isInTime = await askToAbort(bed, id);
  for (const agent of held) agent.kill("SIGCONT");
  const operation = await atRest(bed, id);
  if (isInTime && operation.state === "succeeded" && course.goesForward !== true)
    throw new Error("it was aborted, and succeeded");
  return operation;
}

/** false where it was over by then. */
async function askToAbort({ api }: Bed, id: string): Promise<boolean> {
  try {
    await api.post(`/operations/${id}/abort`, {});
    return true;
  } catch (error) {
    if (error instanceof Failure && error.code === "OPERATION_CONFLICT") return false;
    throw error;
  }
}

async function judge(
  course: Course,
  bed: Bed,
  state: string,
  wanted: "after" | "before",
  undisturbed: Undisturbed,
): Promise<RunEnd> {
  await bed.connected();
  const { address, port } = bed.newNode;
  const row = course.mayLeaveRow ? { loadedRow: { address, port } } : {};
  let left: readonly string[] = [];
  let isPristine = false;
  await waitFor(
    async () => {
      const now = await snapshotOf(course, bed);
      const { [course.operation]: _, ...snapshot } = now;
      isPristine = differences(bed.baseline, snapshot).length === 0;
      left =
        wanted === "after"
          ? differences(undisturbed.after, likeness(now))
          : differences(undisturbed.before, now, row);
      return left.length === 0;
    },
    { timeoutMs: 15_000, what: "the wanted end" },
  ).catch(() => undefined);
  return { state, complaints: left, isPristine };
}
