import { createLab, type Lab } from "#test/harness/lab.ts";
import type { Course } from "./course.ts";
import { createBed, matrixHosts, type Bed } from "./bed.ts";
import { recordRun, recordUndo } from "./record.ts";
import { NotReached, performStrike, type RunEnd } from "./run.ts";
import type { Product, Recording, Strike } from "./strike.ts";

export type StrikeResult = RunEnd & {
  readonly strike: Strike;
  readonly seconds: number;
  /** Where everything of a failed run lies; null of one that was all right. */
  readonly kept: string | null;
};

/** Does one run after the other on hosts of its own. */
export type Worker = AsyncDisposable & {
  /** What there is to be struck; leaves the bed for others. */
  record(): Promise<Recording>;
  run(strike: Strike): Promise<StrikeResult>;
};

type Stage = {
  readonly lab: Lab;
  readonly bed: Bed;
  readonly undisturbed: Awaited<ReturnType<typeof recordRun>>;
};

export function createWorker(course: Course, product: Product): Worker {
  let stage: Stage | null = null;
  const ready = async (): Promise<Stage> => {
    stage ??= await setStage(course, product);
    return stage;
  };
  const run = async (strike: Strike): Promise<StrikeResult> => {
    const current = await ready();
    const { bed, lab, undisturbed } = current;
    const startedAt = performance.now();
    let end: RunEnd;
    try {
      end = await performStrike(course, bed, strike, undisturbed);
    } catch (error) {
      if (error instanceof NotReached && strike.occurrence > 1) {
        bed.leave(false);
        return run({ ...strike, occurrence: strike.occurrence - 1 });
      }
      end = failed(error);
    }
    const seconds = (performance.now() - startedAt) / 1000;
    bed.leave(end.isPristine);
    if (end.complaints.length === 0) return { ...end, strike, seconds, kept: null };
    // Its disks stay for whoever wants to know why; the next run gets new hosts.
    lab.keep();
    stage = null;
    await lab[Symbol.asyncDispose]();
    return { ...end, strike, seconds, kept: lab.folder };
  };
  return {
    run,
    record: async () => {
      const { bed, undisturbed } = await ready();
      const { run, preflightKinds } = undisturbed;
      return { run, preflightKinds, undo: await recordUndo(course, bed) };
    },
    [Symbol.asyncDispose]: async () => {
      await stage?.lab[Symbol.asyncDispose]();
      stage = null;
    },
  };
}

/** Nothing is struck yet: a machine that is too busy for an undisturbed run says nothing about the product. */
async function setStage(course: Course, product: Product, triesLeft = 2): Promise<Stage> {
  const lab = await createLab({ hosts: matrixHosts });
  try {
    const bed = await createBed(lab, product, course);
    return { lab, bed, undisturbed: await recordRun(course, bed) };
  } catch (error) {
    await lab[Symbol.asyncDispose]();
    if (triesLeft > 0) return setStage(course, product, triesLeft - 1);
    throw error;
  }
}

function failed(error: unknown): RunEnd {
  const said = error instanceof Error ? error.message : String(error);
  const cause =
    error instanceof Error && error.cause instanceof Error ? ` (${error.cause.message})` : "";
  return { state: "unknown", complaints: [`${said}${cause}`], isPristine: false };
}
