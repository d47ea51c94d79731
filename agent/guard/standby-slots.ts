import { createSlot } from "../steps/create-slot.ts";
import { ownDialect } from "../steps/own-dialect.ts";
import { findSlot } from "../steps/slots.ts";
import { ownSlot } from "./rejoin/follow.ts";
import type { GuardStepContext } from "./steps/step.ts";

/**
 * On a standby a slot for each other node, unreserved: it retains nothing until this node is somebody's upstream. Those
 * that were there `before` its directory of slots was emptied come back, too.
 */
export async function makeSlots(
  before: readonly string[],
  context: GuardStepContext,
): Promise<void> {
  const { databases, settings, view } = context;
  const dialect = await ownDialect(context);
  const others = (view.cluster?.nodes ?? []).filter(({ name }) => name !== view.node);
  for (const { name: forNode, slot } of others) {
    if ((await findSlot(databases.own, dialect, slot)) !== null) continue;
    const args = { slot, forNode, reserve: false, walBudgetBytes: settings.guard.slots.budgetBytes }; // prettier-ignore
    await createSlot.apply(args, {
      ...context,
      operationId: context.decisionId,
      stepId: "guard",
      progress: () => undefined,
    });
  }
  for (const slot of before) {
    if (slot === ownSlot(context)) continue;
    if ((await findSlot(databases.own, dialect, slot)) !== null) continue;
    await databases.own.query(dialect.createSlot, [slot, false]);
  }
}

/** Of a former primary: the slots of the nodes that streamed from here would retain WAL for ever. */
export async function remakeSlots(context: GuardStepContext): Promise<void> {
  const { databases, view } = context;
  const dialect = await ownDialect(context);
  for (const { name, slot } of view.cluster?.nodes ?? []) {
    if (name === view.node) continue;
    const found = await findSlot(databases.own, dialect, slot);
    if (found === null || found.active || found.restartLsn === null) continue;
    await databases.own.query(dialect.dropSlot, [slot]);
  }
  await makeSlots([], context);
}
