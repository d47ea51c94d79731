import * as z from "zod";
import type { DatabaseFacts } from "#shared/domain/facts.ts";
import { noMarks, type GuardMarks } from "../decide/view.ts";
import { openBoundFile } from "./bound-file.ts";
import { guardRecordFile } from "./guard-record.ts";

const Moment = z.object({ at: z.number(), timeline: z.int() });

/** Of another version, too: what that did not know is not marked, and what it knew beyond this is left out. */
export const StoredMarks: z.ZodType<GuardMarks> = z.object({
  wasPrimary: Moment.nullable().default(null),
  synchronousBefore: z.string().nullable().default(null),
  diverged: Moment.extend({ because: z.string() }).nullable().default(null),
  restartingSince: z.number().nullable().default(null),
  rejoiningSince: z.number().nullable().default(null),
  needsRebuild: z.object({ at: z.number(), because: z.string() }).nullable().default(null),
  fencedAt: z.number().nullable().default(null),
  ranInBoot: z.string().nullable().default(null),
  confirmedAt: z.number().nullable().default(null),
  shieldedAt: z.number().nullable().default(null),
  stopped: z.object({ at: z.number(), pid: z.int().nullable() }).nullable().default(null),
});

/** What the guard has to know of this host after a restart of whatever kind. */
export type GuardMarksFile = {
  current(): GuardMarks;
  /** Why what was marked before is not known any more; null where all is well. */
  trouble(): string | null;
  /** Something was marked on this host at some time. */
  isKept(): boolean;
  /** On disk when it answers. */
  mark(changed: Partial<GuardMarks>): Promise<void>;
  /** At each look: that this node is a primary, or that nothing of what was lost matters any more. */
  note(seen: Pick<DatabaseFacts, "status" | "role" | "timeline" | "receiver">, now: number): Promise<void>; // prettier-ignore
};

type GuardMarksOptions = {
  readonly stateDirectory: string;
  readonly node: string;
  readonly machineIdFile?: string;
};

const dayMs = 86_400_000;

export async function openGuardMarks(options: GuardMarksOptions): Promise<GuardMarksFile> {
  const { stateDirectory, node, machineIdFile } = options;
  const path = `${stateDirectory}/guard-marks.json`;
  const file = await openBoundFile({ path, schema: StoredMarks, node, machineIdFile });
  const { hasMarks } = await guardRecordFile(stateDirectory).load();
  const isGone = file.found === null && file.trouble === null && hasMarks === true;
  let trouble = isGone ? `${path} is gone` : file.trouble;
  let isKept = file.found !== null || trouble !== null;
  let marks = file.found ?? noMarks;
  let writing: Promise<void> = Promise.resolve();

  function mark(changed: Partial<GuardMarks>): Promise<void> {
    const write = async (): Promise<void> => {
      const next = { ...((await file.read()) ?? marks), ...changed };
      await file.save(next);
      marks = next;
      trouble = null;
      isKept = true;
    };
    const written = writing.then(write);
    writing = written.catch(() => undefined);
    return written;
  }

  return {
    current: () => marks,
    trouble: () => trouble,
    isKept: () => isKept,
    mark,
    note: async ({ status, role, timeline, receiver }, now) => {
      marks = (await file.read()) ?? marks;
      if (status !== "running") return;
      if (role === "primary" && timeline !== null) {
        const { wasPrimary } = marks;
        const isNoted = wasPrimary?.timeline === timeline && Math.abs(now - wasPrimary.at) < dayMs;
        if (!isNoted) await mark({ wasPrimary: { at: now, timeline } });
      } else if (receiver?.status === "streaming") {
        // It follows, whatever it was before, and whoever brought it there.
        const { diverged, needsRebuild, restartingSince } = marks;
        const isMended = [diverged, needsRebuild, restartingSince].some((mark) => mark !== null);
        if (isMended || trouble !== null)
          await mark({ diverged: null, needsRebuild: null, restartingSince: null });
      }
    },
  };
}
