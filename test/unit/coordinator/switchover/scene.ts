import type { NodeFacts } from "#shared/domain/facts.ts";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import type { AgentView, LoadedCluster } from "#coordinator/ports.ts";
import { checkSwitchover } from "#coordinator/operations/switchover/checks.ts";
import type { KnownNode } from "#coordinator/operations/add-node/situation.ts";
import type { CheckResult, Plan } from "#coordinator/operations/plan.ts";
import { planSwitchover } from "#coordinator/operations/switchover/plan.ts";
import type { SwitchoverSituation } from "#coordinator/operations/switchover/situation.ts";
import { Failure } from "#shared/errors.ts";
import { change, changePool, createWorld, type World } from "../world.ts";
import type { WorldOptions } from "../declared-node.ts";

/** The root helper of a host that holds the virtual address. */
const addressVerbs = ["door", "vip-status", "vip-add", "vip-drop"];

/** srv127 is the primary, srv129 follows it and is asked for; nothing stands in the way. */
export function goodWorld(options: WorldOptions = {}): World {
  const world = createWorld(options);
  for (const { name } of world.declaration.nodes) {
    change(world, name, (facts) => ({ ...facts, host: { ...facts.host, rootHelperVerbs: addressVerbs } })); // prettier-ignore
    changePool(world, name, { settings: { failover_command: "" } });
  }
  return world;
}

export function situationOf(
  world: World,
  part: Partial<Pick<SwitchoverSituation, "to" | "lagLimitBytes">> = {},
): SwitchoverSituation {
  const { to = "srv129", lagLimitBytes = 16 * 1024 ** 2 } = part;
  const nodes = world.declaration.nodes.map((declared): KnownNode => {
    const agent = world.agents.get(declared.name) ?? null;
    return { declared, agent, facts: agent?.connected === true ? agent.facts : null };
  });
  return {
    declaration: world.declaration,
    nodes,
    primaries: nodes.filter(({ facts }) => facts?.database.role === "primary"),
    to,
    successor: nodes.find(({ declared }) => declared.name === to) ?? null,
    lagLimitBytes,
    stallMs: 60_000,
    holdMs: 2_000,
  };
}

export function planOf(world: World): Plan {
  const cluster: LoadedCluster = {
    file: "/clusters/ESHA.yaml",
    yaml: printClusterYaml(world.declaration),
    hash: "0".repeat(64),
    declaration: world.declaration,
  };
  const situation = situationOf(world);
  return planSwitchover(situation, cluster, checkSwitchover(situation));
}

/** What is not as wanted: of a refusal from its evidence, else the warnings. */
export function complaints(world: World, part: Parameters<typeof situationOf>[1] = {}): string[] {
  let results: readonly CheckResult[];
  try {
    results = checkSwitchover(situationOf(world, part));
  } catch (error) {
    if (error instanceof Failure && error.code === "PREFLIGHT_FAILED") return [...error.evidence];
    throw error;
  }
  return results
    .filter(({ status }) => status === "warn")
    .map(({ id, found, fix }) => `warning ${id}: ${found}. ${fix}`);
}

export function changeAgent(world: World, node: string, part: Partial<AgentView>): void {
  const agent = world.agents.get(node);
  if (agent !== undefined) world.agents.set(node, { ...agent, ...part });
}

export function changeVerbs(world: World, node: string, verbs: NodeFacts["agent"]["verbs"]): void {
  change(world, node, (facts) => ({ ...facts, agent: { ...facts.agent, verbs } }));
}

/** A third data node, which streams from the primary; its agent is as told. */
export function addFollower(world: World, { isAway = false, isStreaming = true } = {}): World {
  const [primary, standby] = world.declaration.nodes;
  const facts = world.facts.get("srv129");
  const rows = world.facts.get("srv127")?.database.replication ?? [];
  if (primary === undefined || standby === undefined || facts === undefined) throw new Error("no nodes"); // prettier-ignore
  const declared = {
    ...standby,
    name: "srv159",
    address: "192.168.4.159",
    slot: "slot_srv159",
    pool: null,
    backendId: null,
  };
  const declaration = { ...world.declaration, nodes: [primary, standby, declared] };
  const wider = { ...world, declaration };
  change(wider, "srv159", () => ({ ...facts, pool: null }));
  changeAgent(wider, "srv159", { connected: !isAway });
  if (isStreaming)
    change(wider, "srv127", (before) => ({
      ...before,
      database: {
        ...before.database,
        replication: rows.flatMap((row) => [row, { ...row, applicationName: "srv159" }]),
      },
    }));
  return wider;
}
