import type { OperationKind } from "#shared/domain/operation.ts";
import type { CoordinatorPorts } from "../ports.ts";
import type { OperationRecord } from "../store/store.ts";
import type { LocalStepContext } from "./local-steps/local-step.ts";
import type { Plan } from "./plan.ts";
import type { Runner } from "./runner.ts";

export type PartRunner = Pick<Runner, "start" | "resume" | "abort">;

type PartPorts = Pick<CoordinatorPorts, "clock" | "store"> & { readonly runner: PartRunner };

type Part = {
  readonly kind: OperationKind;
  readonly subject: string;
  readonly onFailure: OperationRecord["onFailure"];
  readonly plan: () => Promise<Plan>;
};

/**
 * An operation of its own as a part of another one, under whose lease it goes, until it rests. The journal alone knows of
 * it: a step that is run again finds the part that it began, and goes on with it; one that was taken back is begun anew.
 */
export async function runPart(
  { kind, subject, onFailure, plan }: Part,
  context: LocalStepContext,
  ports: PartPorts,
): Promise<OperationRecord> {
  const { runner, store } = ports;
  const { cluster, operationId: under } = context;
  const requestedBy = partOf(under);
  const known = store
    .operations({ cluster })
    .filter(
      (one) => one.requestedBy === requestedBy && one.kind === kind && one.subject === subject,
    ) // prettier-ignore
    .at(-1);
  if (known === undefined || ["rolled-back", "cancelled"].includes(known.state)) {
    const asked = { kind, cluster, subject, requestedBy, onFailure, under };
    return untilRest(runner.start({ ...asked, plan: await plan() }).id, context, ports);
  }
  if (known.state === "paused") runner.resume(known.id);
  return untilRest(known.id, context, ports);
}

export function partOf(operationId: string): string {
  return `part of ${operationId}`;
}

export async function untilRest(
  id: string,
  { progress, signal }: LocalStepContext,
  { clock, store }: Pick<PartPorts, "clock" | "store">,
): Promise<OperationRecord> {
  const note = `castellan operation watch ${id}`;
  progress({ doneBytes: null, totalBytes: null, bytesPerSecond: null, note });
  for (;;) {
    const part = store.operation(id);
    if (part !== null && !["planned", "running", "rolling-back"].includes(part.state)) return part;
    await clock.sleep(lookAgainMs, signal);
  }
}

const lookAgainMs = 200;
