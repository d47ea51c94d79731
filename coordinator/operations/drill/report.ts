import * as z from "zod";
import { commands, Evidence } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { OperationRecord } from "../../store/store.ts";
import { isOfPrimary } from "../changes-roles.ts";

const load = commands["run-load"].result.shape;

/** What is journaled of the fault under load. */
export const DrillEvidence = Evidence.extend({
  drill: z.strictObject({
    struckAt: z.number(),
    writes: load.writes,
    reads: load.reads,
    lost: load.lost,
    primary: load.primary,
    /** Why the one that took a failed primary's place did. */
    because: z.string().nullable().default(null),
  }),
});
export type DrillEvidence = z.infer<typeof DrillEvidence>;

export type DrillReport = {
  readonly operation: string;
  readonly cluster: string;
  /** The one that failed under load; standbys that were stopped before it, in a cascade. */
  readonly node: string;
  readonly stoppedBefore: readonly string[];
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
  /** From the fault until every node streamed again, and every pool had it up; null where the drill did not restore it. */
  readonly redundancyMs: number | null;
  /** From the fault until who led before leads again; null where nobody else led, or it was not restored. */
  readonly layoutMs: number | null;
};

/** Of an operation's record alone, so that it is kept as long as that is. */
export function drillReport(operation: OperationRecord): DrillReport {
  const { plan, steps, id, cluster, state, requestedBy } = operation;
  const index = plan.steps.findIndex(({ kind }) => kind === "drill");
  const step = plan.steps[index];
  if (step?.kind !== "drill") throw new Failure("INTERNAL", `${id} has no drill's step`);
  const { node, fault } = step.args;
  const drill = DrillEvidence.safeParse(steps[index]?.evidence).data?.drill ?? null;
  const before = isOfPrimary(step.args) ? node : (plan.premise?.primary ?? "");
  const after = drill === null ? null : nameOf(drill.primary, operation);
  const handBack = plan.steps.findIndex(({ kind }) => kind === "hand-back");
  const last = handBack === -1 ? steps.length - 1 : handBack - 1;
  const sinceFault = (end: number): number | null => {
    const endedAt = steps[end]?.state === "done" ? (steps[end].endedAt ?? null) : null;
    return drill === null || endedAt === null || end <= index ? null : endedAt - drill.struckAt;
  };
  return {
    operation: id,
    cluster,
    node,
    stoppedBefore: plan.steps.flatMap((one) => (one.kind === "stop-standby" ? [one.on] : [])),
    kind: fault === "kill-standby" || fault === "kill-primary" ? "kill" : "stop",
    state,
    requestedBy,
    struckAt: drill?.struckAt ?? null,
    primary: {
      before,
      after,
      why: drill?.because ?? (after === null ? null : whyOf(before, after, node)),
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
    redundancyMs: sinceFault(last),
    layoutMs: handBack === -1 ? null : sinceFault(handBack),
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
