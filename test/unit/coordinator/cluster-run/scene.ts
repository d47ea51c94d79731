import type { NodeFacts } from "#shared/domain/facts.ts";
import { Failure } from "#shared/errors.ts";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import type { LoadedCluster } from "#coordinator/ports.ts";
import type { KnownNode } from "#coordinator/operations/add-node/situation.ts";
import type { ClusterSituation, ControlFile } from "#coordinator/operations/cluster-run/situation.ts"; // prettier-ignore
import type { CheckResult } from "#coordinator/operations/plan.ts";
import { goodWorld } from "../switchover/scene.ts";
import { change, changeDatabase, type World } from "../world.ts";
import type { WorldOptions } from "../declared-node.ts";

/** Both nodes run, with every verb of root's helper. */
export function runningWorld(options: WorldOptions = { pool: true }): World {
  const world = goodWorld(options);
  const poolVerbs = ["pool-start", "pool-stop", "pool-status"];
  for (const { name } of world.declaration.nodes) {
    change(world, name, ({ host, ...facts }) => ({ ...facts, host: { ...host, rootHelperVerbs: [...host.rootHelperVerbs, ...poolVerbs] } })); // prettier-ignore
  }
  return world;
}

/** Both were stopped cleanly, srv127 as the primary of timeline 3. */
export function stoppedWorld(options?: WorldOptions): World {
  const world = runningWorld(options);
  for (const { name } of world.declaration.nodes) {
    changeDatabase(world, name, { ...stopped, hasStandbyMarker: name !== "srv127" });
  }
  return world;
}

const stopped = {
  status: "stopped",
  role: null,
  postmasterPid: null,
  replication: [],
  receiver: null,
} as const satisfies Partial<NodeFacts["database"]>;

const control = (part: Partial<ControlFile> = {}): ControlFile => ({
  systemIdentifier: "7311111111111111111",
  state: "shut down in recovery",
  timeline: 3,
  checkpoint: "0/5000028",
  end: "0/50000A0",
  ...part,
});

export type Controls = Readonly<Record<string, Partial<ControlFile> | null>>;

export function situationOf(
  world: World,
  controls: Controls = { srv127: { state: "shut down" }, srv129: {} },
  stoppedAs: ClusterSituation["stoppedAs"] = null,
): ClusterSituation {
  const nodes = world.declaration.nodes.map((declared): KnownNode => {
    const agent = world.agents.get(declared.name) ?? null;
    return { declared, agent, facts: agent?.connected === true ? agent.facts : null };
  });
  const isStopped = (node: string): boolean =>
    nodes.some(({ declared, facts }) => declared.name === node && facts?.database.status === "stopped"); // prettier-ignore
  const answers = Object.entries(controls).flatMap(([node, part]) =>
    part === null || !isStopped(node)
      ? []
      : [[node, { answer: control(part), problem: null }] as const],
  );
  return {
    declaration: world.declaration,
    nodes,
    primaries: nodes.filter(({ facts }) => facts?.database.role === "primary"),
    controls: new Map(answers),
    stoppedAs,
    lagLimitBytes: 16 * 1024 ** 2,
    stallMs: 60_000,
    holdMs: 1_000,
  };
}

export function loaded({ declaration }: World): LoadedCluster {
  const yaml = printClusterYaml(declaration);
  return { file: "/clusters/ESHA.yaml", yaml, hash: "0".repeat(64), declaration };
}

/** What is not as wanted: of a refusal from its evidence, else the warnings. */
export function complaints(check: () => readonly CheckResult[]): readonly string[] {
  try {
    return check()
      .filter(({ status }) => status === "warn")
      .map(({ id, found }) => `warning ${id}: ${found}`);
  } catch (error) {
    if (error instanceof Failure && error.code === "PREFLIGHT_FAILED") return error.evidence;
    throw error;
  }
}
