import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import type { Fleet } from "../ports.ts";
import type { KnownNode } from "./add-node/situation.ts";

/** Every declared node as its agent sees it now; facts of an agent that is away are none. */
export async function lookAtNodes(
  fleet: Pick<Fleet, "agent" | "observe">,
  { nodes }: ClusterDeclaration,
): Promise<readonly KnownNode[]> {
  const connected = nodes.filter((node) => fleet.agent(node.name)?.connected === true);
  await Promise.allSettled(connected.map((node) => fleet.observe([node.name])));
  return nodes.map((node): KnownNode => {
    const agent = fleet.agent(node.name);
    return { declared: node, agent, facts: agent?.connected === true ? agent.facts : null };
  });
}
