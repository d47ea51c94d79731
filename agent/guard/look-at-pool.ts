import type { ClusterView, PoolSight } from "#shared/domain/cluster-view.ts";
import { asFailure } from "#shared/errors.ts";
import { poolRowOf } from "../observe/pool-status.ts";
import { lookLimits, refusalOf, type DeclaredNode, type LookPorts } from "./look-at-peer.ts";

/** `show pool_nodes` over a short session to the pool of a node. Never throws. */
export async function lookAtPool(
  { databases, clock }: LookPorts,
  { database }: ClusterView,
  { name: node, address: host }: DeclaredNode,
  port: number,
): Promise<PoolSight> {
  try {
    await using session = await databases.connect(
      {
        host,
        port,
        user: database.maintenanceUser,
        database: database.name,
        replication: false,
        secret: "database",
      },
      lookLimits,
    );
    const rows = (await session.query("show pool_nodes")).map(poolRowOf);
    return { node, at: clock.now(), status: "answers", rows, problem: null };
  } catch (error) {
    const problem = asFailure(error).message.slice(0, 500);
    return { node, at: clock.now(), status: refusalOf(error), rows: [], problem };
  }
}
