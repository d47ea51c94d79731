import type { ClusterDeclaration } from "#shared/domain/cluster.ts";
import type { ClusterView } from "#shared/domain/cluster-view.ts";

/** Of a declaration what its agents have to know of one another: no paths, and no secret. */
export function viewForAgents(declaration: ClusterDeclaration, at: number): ClusterView {
  const { name, pool: poolKind, database, virtualAddresses, trustAddresses, nodes } = declaration;
  const { name: databaseName, maintenanceUser, replicationUser } = database;
  return {
    cluster: name,
    at,
    poolKind,
    database: { name: databaseName, maintenanceUser, replicationUser },
    nodes: nodes.map(({ name: node, address, port, slot, backendId, nic, pool }) => ({
      name: node,
      address,
      port,
      slot,
      backendId,
      nic,
      pool: pool === null ? null : { port: pool.port, pcpPort: pool.pcpPort },
    })),
    virtualAddresses,
    trustAddresses,
  };
}
