import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import type { Fleet } from "../ports.ts";
import type { KnownNode } from "./add-node/situation.ts";

/** Every declared node as its agent sees it now: of one that is away, or gives no answer, there are no facts. */
export async function lookAtNodes(
  fleet: Pick<Fleet, "agent" | "observe">,
  { nodes }: Pick<ClusterDeclaration, "nodes">,
): Promise<readonly KnownNode[]> {
  return Promise.all(
    nodes.map(async (declared): Promise<KnownNode> => {
      const isSeen = await fleet.observe([declared.name]).then(
        () => true,
        () => false,
      );
      const agent = fleet.agent(declared.name);
      return { declared, agent, facts: isSeen && agent?.connected === true ? agent.facts : null };
    }),
  );
}
