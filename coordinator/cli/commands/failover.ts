import type { Command } from "commander";
import { FailoverRequest } from "../../api/failover-contract.ts";
import type { CliContext } from "../context.ts";
import { parseRequest, withExamples, withJson } from "../options.ts";
import { planAndRun, planHelp, type PlanOptions } from "../plan-and-run.ts";

type Options = PlanOptions & { readonly to: string; readonly force: boolean };

export function addFailoverCommand(program: Command, context: CliContext): void {
  const command = withJson(
    program
      .command("failover")
      .description("promote a standby though the primary is gone; refused while that one answers")
      .argument("<cluster>")
      .requiredOption("--to <node>", "the standby that becomes the primary")
      .requiredOption("--force", "your word that the former primary takes no write any more")
      .option("--dry-run", "print candidates, checks and steps; change nothing")
      .option("--plan <digest>", planHelp)
      .option("--yes", "don't ask for confirmation"),
  );
  withExamples(command, "failover ESHA --to srv129 --force --dry-run", "failover ESHA --to srv129 --force"); // prettier-ignore
  command.action(async (cluster: string, options: Options) => {
    const request = parseRequest(FailoverRequest, {
      to: options.to,
      force: options.force,
      dryRun: options.dryRun ?? false,
      plan: options.plan ?? null,
      requestedBy: context.requestedBy,
    });
    const path = `/clusters/${encodeURIComponent(cluster)}/failover`;
    await planAndRun(context, path, request, options.to, options);
  });
}
