import * as z from "zod";
import { commands, Evidence } from "#shared/domain/commands.ts";
import type { OperationRecord } from "../../store/store.ts";

const load = commands["run-load"].result.shape;

/** What is journaled of the fault under load. */
export const DrillEvidence = Evidence.extend({
  drill: z.strictObject({
    struckAt: z.number(),
    writes: load.writes,
    reads: load.reads,
    lost: load.lost,
    primary: load.primary,
  }),
});
export type DrillEvidence = z.infer<typeof DrillEvidence>;

export type DrillReport = {
  readonly operation: string;
  readonly cluster: string;
  readonly node: string;
  readonly kind: "stop" | "kill";
  readonly state: OperationRecord["state"];
  readonly requestedBy: string;
  /** When the fault was made; null with all that was measured where it did not come to that. */
  readonly struckAt: number | null;
  readonly primary: {
    readonly before: string;
    readonly after: string | null;
    readonly why: string | null;
  };
  readonly blackoutMs: { readonly writes: number; readonly reads: number } | null;
  readonly writes: DrillEvidence["drill"]["writes"] | null;
  readonly reads: DrillEvidence["drill"]["reads"] | null;
  readonly lostAcknowledged: number | null;
  /** From the fault until the node streamed again, and every pool had it up; null where it was not restored. */
  readonly redundancyMs: number | null;
};

/** Of an operation's record alone, so that it is kept as long as that is. */
export function drillReport(operation: OperationRecord): DrillReport {
  const { plan, steps, id, cluster, subject, state, requestedBy } = operation;
  const index = plan.steps.findIndex(({ kind }) => kind === "drill");
  const step = plan.steps[index];
  const isKill = step?.kind === "drill" && step.args.fault === "kill-standby";
  const drill = DrillEvidence.safeParse(steps[index]?.evidence).data?.drill ?? null;
  const before = plan.premise?.primary ?? "";
  const after = drill === null ? null : nameOf(drill.primary, operation);
  const last = steps.at(-1)?.endedAt ?? null;
  const isRestored = state === "succeeded" && index < steps.length - 1;
  return {
    operation: id,
    cluster,
    node: subject,
    kind: isKill ? "kill" : "stop",
    state,
    requestedBy,
    struckAt: drill?.struckAt ?? null,
    primary: {
      before,
      after,
      why: after === null ? null : whyOf(before, after, subject),
    },
    blackoutMs:
      drill === null
        ? null
        : {
            writes: Math.round(drill.writes.longestGapMs),
            reads: Math.round(drill.reads.longestGapMs),
          },
    writes: drill?.writes ?? null,
    reads: drill?.reads ?? null,
    lostAcknowledged: drill?.lost ?? null,
    redundancyMs: drill === null || last === null || !isRestored ? null : last - drill.struckAt,
  };
}

function nameOf(place: string, { plan }: OperationRecord): string {
  const node = plan.declaration.nodes.find(({ address, port }) => `${address}:${port}` === place);
  return node?.name ?? place;
}

function whyOf(before: string, after: string, subject: string): string {
  return before === after
    ? `${subject} was a standby: there was nobody to take the place of`
    : "it took the place of the primary meanwhile: castellan events";
}
