import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import { productOf } from "#shared/products/product.ts";
import type { ProgramStatus } from "../api/cluster-run-contract.ts";
import type { AgentView } from "../ports.ts";

/** Pools first, as the vendor's table has them. */
export function programsOf(
  { nodes, pool, product }: ClusterDeclaration,
  agentOf: (node: string) => AgentView | null,
): readonly ProgramStatus[] {
  const row = (
    { name, address }: (typeof nodes)[number],
    program: string,
    isActive: (facts: NonNullable<AgentView["facts"]>) => boolean,
  ): ProgramStatus => {
    const agent = agentOf(name);
    const facts = agent?.connected === true ? agent.facts : null;
    const status = facts === null ? "unknown" : isActive(facts) ? "active" : "inactive";
    return { node: name, ip: address, program, status };
  };
  return [
    ...nodes
      .filter((node) => node.pool !== null)
      .map((node) => row(node, pool, (facts) => facts.pool?.status === "running")),
    ...nodes.map((node) =>
      row(
        node,
        productOf(product).programs.server,
        ({ database }) => database.status === "running",
      ),
    ),
  ];
}
