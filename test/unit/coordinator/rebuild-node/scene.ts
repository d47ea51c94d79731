import { oldDirectoryFor } from "#shared/domain/names.ts";
import { Failure } from "#shared/errors.ts";
import { printClusterYaml } from "#coordinator/cluster-file/print-cluster.ts";
import type { LoadedCluster } from "#coordinator/ports.ts";
import { forecastCopy } from "#coordinator/operations/add-node/forecast.ts";
import { defaultAddNodeLimits, type KnownNode, type Probes } from "#coordinator/operations/add-node/situation.ts"; // prettier-ignore
import type { CheckResult, Plan } from "#coordinator/operations/plan.ts";
import { checkRebuild } from "#coordinator/operations/rebuild-node/checks.ts";
import { planRebuild } from "#coordinator/operations/rebuild-node/plan.ts";
import { rebuildSituation, withProbes, type RebuildSituation } from "#coordinator/operations/rebuild-node/situation.ts"; // prettier-ignore
import { goodProbes } from "../good-probes.ts";
import type { World } from "../world.ts";

export type Asked = {
  readonly node?: string;
  readonly accepted?: RebuildSituation["accepted"];
  readonly probe?: (probes: Probes) => Probes;
};

export function clusterOf({ declaration }: World): LoadedCluster {
  return {
    file: "/clusters/ESHA.yaml",
    yaml: printClusterYaml(declaration),
    hash: "0".repeat(64),
    declaration,
  };
}

export function nodesOf(world: World): readonly KnownNode[] {
  return world.declaration.nodes.map((declared): KnownNode => {
    const agent = world.agents.get(declared.name) ?? null;
    return { declared, agent, facts: agent?.connected === true ? agent.facts : null };
  });
}

/** Of srv129, whose data directory is there, and from which every login succeeds. */
export function situationOf(
  world: World,
  { node = "srv129", accepted = [], probe = (probes) => probes }: Asked = {},
): RebuildSituation {
  const request = { node, dryRun: false, plan: null, requestedBy: "dba@console" };
  const bare = rebuildSituation(request, clusterOf(world), nodesOf(world), defaultAddNodeLimits, accepted); // prettier-ignore
  return bare.copy === null ? bare : withProbes(bare, probe(probesOf(bare.copy)));
}

function probesOf(copy: NonNullable<RebuildSituation["copy"]>): Probes {
  const good = goodProbes(copy);
  const target = good.target?.answer;
  const logins = good.logins?.answer;
  if (target === undefined || logins === undefined || target === null || logins === null) throw new Error("no answers"); // prettier-ignore
  const [first] = target.directories;
  const { dataDirectory } = copy.newcomer.declared.paths;
  const old = first === undefined ? [] : [{ ...first, path: oldDirectoryFor(dataDirectory) }];
  return {
    ...good,
    target: {
      answer: {
        ...target,
        dataDirectory: { ...target.dataDirectory, state: "not-empty" },
        directories: [...target.directories, ...old],
      },
      problem: null,
    },
    logins: {
      answer: { results: logins.results.map((result) => ({ ...result, ok: true })) },
      problem: null,
    },
  };
}

export function planOf(world: World, asked: Asked = {}): Plan {
  const situation = situationOf(world, asked);
  const forecast = situation.copy === null ? null : forecastCopy(situation.copy);
  if (forecast === null) throw new Error("no forecast");
  return planRebuild(situation, checkRebuild(situation), forecast);
}

/** What is not as wanted: of a refusal from its evidence, else the warnings. */
export function complaintsOf(check: () => readonly CheckResult[]): readonly string[] {
  try {
    return check()
      .filter(({ status }) => status === "warn")
      .map(({ id, found, fix }) => `warning ${id}: ${found}. ${fix}`);
  } catch (error) {
    if (error instanceof Failure && error.code === "PREFLIGHT_FAILED") return [...error.evidence];
    throw error;
  }
}
