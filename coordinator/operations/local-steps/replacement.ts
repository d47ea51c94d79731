import { Failure } from "#shared/errors.ts";
import type { Store } from "../../store/store.ts";
import type { LocalStepContext } from "./local-step.ts";

export type Replacement = { readonly leader: string; readonly because: string };

/**
 * Who took the place of a primary since this operation began, by the journal, which has every failover before its effect.
 * One that is under way is waited for. @throws Failure REFUSED where one rests: whether somebody leads is not known then
 */
export async function replacementOf(
  journal: Pick<Store, "operation" | "operations">,
  { cluster, clock, operationId, signal }: LocalStepContext,
): Promise<Replacement | null> {
  const since = journal.operation(operationId)?.requestedAt ?? 0;
  for (;;) {
    const last = journal
      .operations({ cluster })
      .filter(({ kind, requestedAt }) => kind === "failover" && requestedAt >= since)
      .at(-1);
    if (last === undefined || last.state === "rolled-back") return null;
    if (last.state === "succeeded") {
      return { leader: last.subject, because: last.plan.notes[0] ?? `failover ${last.id}` };
    }
    if (["paused", "needs-attention", "cancelled"].includes(last.state)) {
      throw new Failure("REFUSED", `failover ${last.subject} (${last.id}) is ${last.state}: whether it leads is not known`, {
        hint: `castellan operation show ${last.id}`,
      }); // prettier-ignore
    }
    await clock.sleep(lookAgainMs, signal);
  }
}

const lookAgainMs = 100;
