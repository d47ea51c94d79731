import { Option, type Command } from "commander";
import { RemoveRequest } from "../../api/remove-contract.ts";
import type { CliContext } from "../context.ts";
import { parseRequest, withExamples, withJson } from "../options.ts";
import { planAndRun, planHelp, type PlanOptions } from "../plan-and-run.ts";

type RemoveOptions = PlanOptions & {
  readonly keepData?: boolean;
  readonly deleteData?: boolean;
  readonly gone?: boolean;
};

export function addRemoveCommand(node: Command, context: CliContext): void {
  const command = withJson(
    node
      .command("remove")
      .description("take a standby out of the cluster; its data is kept, unless asked otherwise")
      .argument("<cluster>")
      .argument("<node>")
      .option("--keep-data", "leave the data directory where it is: what happens anyway")
      .addOption(
        new Option("--delete-data", "delete the node's data directory at the end").conflicts("keepData"), // prettier-ignore
      )
      .option("--gone", "its host is away for good: leave out what would be done there")
      .option("--dry-run", "print checks and steps; change nothing")
      .option("--plan <digest>", planHelp)
      .option("--yes", "don't ask for confirmation"),
  );
  withExamples(command, "node remove ESHA srv159 --dry-run", "node remove ESHA srv159 --delete-data"); // prettier-ignore
  command.action(async (cluster: string, subject: string, options: RemoveOptions) => {
    const request = parseRequest(RemoveRequest, {
      node: subject,
      deleteData: options.deleteData ?? false,
      gone: options.gone ?? false,
      dryRun: options.dryRun ?? false,
      plan: options.plan ?? null,
      requestedBy: context.requestedBy,
    });
    const path = `/clusters/${encodeURIComponent(cluster)}/remove`;
    await planAndRun(context, path, request, subject, options);
  });
}
