import type { NodeFacts } from "#shared/domain/facts.ts";
import type { Store } from "../store/store.ts";
import { alertCause } from "./host-events.ts";

/**
 * What an agent has made for an operation that this journal does not know: the journal is older than the world. Every
 * addition of a node makes slots on all the others, so each is seen by them. What is older than the agent's own
 * joining was made under a journal that was given up for good.
 */
export function judgeOwnSlots(
  store: Pick<Store, "agent" | "operation" | "alerts" | "raiseAlert" | "resolveAlert">,
  node: string,
  { agent }: Pick<NodeFacts, "agent">,
  now: number,
): void {
  const joinedAt = store.agent(node)?.joinedAt ?? Infinity;
  const unknown = agent.ownSlots.filter(
    ({ operationId, madeAt }) => madeAt > joinedAt && store.operation(operationId) === null,
  );
  const cause = alertCause(node, "unknown-operations");
  // Not written at every look: a commit is an fsync.
  const last = store.alerts().find((alert) => alert.cause === cause);
  if (unknown.length === 0) {
    if (last !== undefined && last.state !== "resolved") store.resolveAlert(cause, now);
    return;
  }
  const ids = [...new Set(unknown.map(({ operationId }) => operationId))].toSorted().join(", ");
  const summary = `${node} has worked for an operation that this journal does not know: ${ids}`;
  // Nor once more after an operator has closed it: slots of a node that is in use stay.
  if (last?.summary === summary) return;
  store.raiseAlert(
    {
      cause,
      severity: "critical",
      node,
      summary,
      detail: `It made ${unknown.map((slot) => `slot ${slot.name} for ${slot.forNode}`).join(", ")}. The journal is older than that (restored, or a copy): castellan slot list shows what they hold. Where the node is in use, declare it (castellan cluster import); where it is not, drop the slots on ${node} by hand. Then close this alert.`,
    },
    now,
  );
}
