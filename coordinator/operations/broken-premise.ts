import type { DatabaseFacts } from "#shared/domain/facts.ts";
import { Failure } from "#shared/errors.ts";
import type { AgentView } from "../ports.ts";
import type { OperationRecord } from "../store/store.ts";

/**
 * Who leads the cluster is the ground that a plan stands on: every position, slot and upstream in it is about that
 * primary. Answers why it does not stand any more; null while nothing that is known speaks against it. A host that is
 * away says nothing, nor does one that is back and has told nothing yet: steps find out for themselves.
 */
export function brokenPremise(
  { id, subject, plan }: Pick<OperationRecord, "id" | "subject" | "plan">,
  agentOf: (node: string) => Pick<AgentView, "facts" | "factsAreCurrent"> | null,
): Failure | null {
  const { premise } = plan;
  if (premise === undefined) return null;
  const names = [...plan.declaration.nodes.map(({ name }) => name), subject];
  const found = [...new Set(names)].flatMap((node) => {
    const agent = agentOf(node);
    const database = agent?.factsAreCurrent === true ? agent.facts?.database : undefined;
    if (database === undefined || database.role === null) return [];
    // A server of another cluster on the new host is another matter, and another check's.
    if (database.systemIdentifier !== premise.systemIdentifier) return [];
    const told = contradiction(node, database, premise);
    return told === null ? [] : [told];
  });
  if (found.length === 0) return null;
  const planned = `the plan was made for the primary ${premise.primary}${premise.timeline === null ? "" : ` on timeline ${premise.timeline}`}`;
  return new Failure("REFUSED", `${found.join(", ")}; ${planned}.`, {
    hint: `If that is how it stays: castellan operation abort ${id}, then ask for it again, which plans for the new primary. If it was a mistake: put it right.`,
  });
}

function contradiction(
  node: string,
  { role, timeline }: Pick<DatabaseFacts, "role" | "timeline">,
  premise: { readonly primary: string; readonly timeline: number | null },
): string | null {
  // Its timeline is not told: what is seen of it is the last checkpoint's, which after a promotion comes a moment later.
  if (node !== premise.primary) return role === "primary" ? `${node} is a primary now` : null;
  if (role !== "primary") return `${node} is a standby now`;
  const isSame = premise.timeline === null || timeline === null || timeline === premise.timeline;
  return isSame ? null : `${node} is on timeline ${timeline} now`;
}
