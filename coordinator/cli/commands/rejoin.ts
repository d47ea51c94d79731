import type { Command } from "commander";
import { RebuildRequest } from "../../api/rejoin-contract.ts";
import type { CliContext } from "../context.ts";
import { parseRequest, withExamples, withJson } from "../options.ts";
import { planAndRun, planHelp, type PlanOptions } from "../plan-and-run.ts";

const commands = [
  {
    name: "rebuild",
    description: "copy a standby anew from the primary, in place; its old data is kept until then",
  },
  {
    name: "rejoin",
    description: "let a former primary, or a standby that went astray, follow the primary again",
  },
] as const;

/** Both bring a node of the cluster back. */
export function addRejoinCommands(node: Command, context: CliContext): void {
  for (const { name, description } of commands) {
    const command = withJson(
      node
        .command(name)
        .description(description)
        .argument("<cluster>")
        .argument("<node>")
        .option("--dry-run", "print checks and steps; change nothing")
        .option("--plan <digest>", planHelp)
        .option("--yes", "don't ask for confirmation"),
    );
    withExamples(command, `node ${name} ESHA srv129 --dry-run`, `node ${name} ESHA srv129`);
    command.action(async (cluster: string, subject: string, options: PlanOptions) => {
      const request = parseRequest(RebuildRequest, {
        node: subject,
        dryRun: options.dryRun ?? false,
        plan: options.plan ?? null,
        requestedBy: context.requestedBy,
      });
      const path = `/clusters/${encodeURIComponent(cluster)}/${name}`;
      await planAndRun(context, path, request, subject, options);
    });
  }
}
