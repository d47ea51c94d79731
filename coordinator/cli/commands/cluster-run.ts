import type { Command } from "commander";
import { failures, Failure } from "#shared/errors.ts";
import type { ClusterAnswer } from "../../api/contract.ts";
import { ClusterRunRequest, type ProgramStatus } from "../../api/cluster-run-contract.ts";
import type { CliContext } from "../context.ts";
import { parseRequest, withExamples, withJson } from "../options.ts";
import { planAndRun, planHelp, type PlanOptions } from "../plan-and-run.ts";
import { renderPrograms } from "../render/programs.ts";
import type { OperationEpilogue } from "../watch-operation.ts";

type Options = PlanOptions & { readonly rolling?: boolean };

const verbs = {
  stop: { wanted: "inactive", says: "stop pools and databases, so that nothing is lost and nothing starts again by itself" }, // prettier-ignore
  start: { wanted: "active", says: "start the databases, the last primary first, then the pools" },
  restart: { wanted: "active", says: "stop and start it all; with --rolling one node after the other" }, // prettier-ignore
} as const;

/** `cluster start|stop|restart`: what kingbase_monitor.sh did, ending with its table. */
export function addClusterRunCommands(cluster: Command, context: CliContext): void {
  for (const [verb, { wanted, says }] of Object.entries(verbs)) {
    const command = withJson(
      cluster
        .command(verb)
        .description(says)
        .argument("[cluster]", "may be left out where there is only one")
        .option("--dry-run", "print checks and steps; change nothing")
        .option("--plan <digest>", planHelp)
        .option("--yes", "don't ask for confirmation"),
    );
    if (verb === "restart") {
      command.option("--rolling", "standbys one by one, then a switchover: nobody waits for a whole restart"); // prettier-ignore
    }
    withExamples(command, `cluster ${verb} ESHA --dry-run`, `cluster ${verb} ESHA`);
    command.action(async (named: string | undefined, options: Options) => {
      const name = named ?? (await onlyCluster(context));
      const request = parseRequest(ClusterRunRequest, {
        dryRun: options.dryRun ?? false,
        plan: options.plan ?? null,
        requestedBy: context.requestedBy,
      });
      const path = `/clusters/${encodeURIComponent(name)}`;
      const run = options.rolling === true ? "rolling" : verb;
      const table = () => seenPrograms(context, path, wanted);
      await planAndRun(context, `${path}/${run}`, request, name, options, table);
    });
  }
}

async function onlyCluster(context: CliContext): Promise<string> {
  const clusters = await context.client().get<readonly ClusterAnswer[]>("/clusters");
  const [only, ...others] = clusters.map(({ declaration }) => declaration.name);
  if (only !== undefined && others.length === 0) return only;
  throw new Failure("USAGE", only === undefined ? "No cluster is declared." : `Which cluster? There are ${[only, ...others].join(", ")}.`); // prettier-ignore
}

/** What the programs are at the end, whatever was done: one that is not as wanted is no success. */
async function seenPrograms(
  context: CliContext,
  path: string,
  wanted: ProgramStatus["status"],
): Promise<OperationEpilogue> {
  const programs = await context.client().get<readonly ProgramStatus[]>(`${path}/programs`);
  const wrong = programs.filter(({ status }) => status !== wanted);
  const lines = wrong.map(({ node, program, status }) => `${program} of ${node} is ${status}.`);
  return {
    json: { programs },
    lines: [...renderPrograms(programs), ...lines],
    exitCode: wrong.length === 0 ? 0 : failures.NODE_UNREACHABLE.exitCode,
  };
}
