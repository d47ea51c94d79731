import type { NodeFacts } from "#shared/domain/facts.ts";
import type { AlertRecord } from "../store/store.ts";

type DroppedSlot = NodeFacts["agent"]["droppedSlots"][number];
type Raised = Pick<AlertRecord, "cause" | "severity" | "node" | "summary" | "detail">;

/** Part of an alert's cause; the agent's own event has the same. */
const kind = "slot-dropped:";

/**
 * Alerts for slots that an agent has dropped while nobody listened: from its facts, which its ledger outlives every
 * restart in. One that was told is not told again, also after an operator closed it.
 */
export function droppedSlotAlerts(
  node: string,
  { agent }: Pick<NodeFacts, "agent">,
  alerts: readonly AlertRecord[],
  causeOf: (node: string, cause: string) => string,
): { readonly raise: readonly Raised[]; readonly over: readonly string[] } {
  const prefix = causeOf(node, kind);
  const raise = agent.droppedSlots.flatMap((dropped): Raised[] => {
    const cause = causeOf(node, `${kind}${dropped.name}`);
    const decision = decisionOf(dropped);
    const isTold = alerts.some((a) => a.cause === cause && a.detail.includes(decision));
    if (isTold) return [];
    return [{ cause, severity: "critical", node, ...textOf(dropped, decision) }];
  });
  const standing = new Set(agent.droppedSlots.map(({ name }) => `${prefix}${name}`));
  const over = alerts
    .filter(({ cause, state }) => state !== "resolved" && cause.startsWith(prefix))
    .map(({ cause }) => cause)
    .filter((cause) => !standing.has(cause));
  return { raise, over };
}

function decisionOf({ name, droppedAt }: DroppedSlot): string {
  return `decision ${name}@${droppedAt}`;
}

function textOf(dropped: DroppedSlot, decision: string): Pick<Raised, "summary" | "detail"> {
  const { name, forNode, rule, reason, needsRebuild } = dropped;
  return {
    summary: needsRebuild
      ? `slot ${name} was dropped: ${forNode} needs a rebuild`
      : `slot ${name} was dropped on this standby: ${forNode} could not follow this node any more`,
    detail: `rule ${rule}\n${reason}\n${decision}\nnext: castellan slot list, and docs/slots.md`,
  };
}
