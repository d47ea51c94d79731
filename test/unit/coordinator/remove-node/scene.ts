import type { RemoveRequest } from "#coordinator/api/remove-contract.ts";
import { defaultAddNodeLimits } from "#coordinator/operations/add-node/situation.ts";
import { removeSituation, type RemoveSituation } from "#coordinator/operations/remove-node/situation.ts"; // prettier-ignore
import type { WorldOptions } from "../declared-node.ts";
import { clusterOf, nodesOf } from "../rebuild-node/scene.ts";
import { createWorld, type World } from "../world.ts";

/** srv127 alone runs a pool, if any: srv129 can leave. */
export function removeWorld(options: WorldOptions = {}): World {
  const world = createWorld(options);
  const nodes = world.declaration.nodes.map((node) =>
    node.name === "srv129" ? { ...node, pool: null } : node,
  );
  return { ...world, declaration: { ...world.declaration, nodes } };
}

export function situationOf(world: World, asked: Partial<RemoveRequest> = {}): RemoveSituation {
  const request: RemoveRequest = {
    node: "srv129",
    deleteData: false,
    gone: false,
    dryRun: false,
    plan: null,
    requestedBy: "dba@console",
    ...asked,
  };
  return removeSituation(request, clusterOf(world), nodesOf(world), defaultAddNodeLimits);
}
