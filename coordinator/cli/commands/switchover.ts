import type { Command } from "commander";
import { SwitchoverRequest } from "../../api/switchover-contract.ts";
import type { CliContext } from "../context.ts";
import { sizeOption, parseRequest, withExamples, withJson } from "../options.ts";
import { planAndRun, planHelp, type PlanOptions } from "../plan-and-run.ts";

type Options = PlanOptions & { readonly to: string; readonly lagLimit?: number };

export function addSwitchoverCommand(program: Command, context: CliContext): void {
  const command = withJson(
    program
      .command("switchover")
      .description("make another node the primary, without the loss of a row")
      .argument("<cluster>")
      .requiredOption("--to <node>", "the standby that becomes the primary")
      .option(
        "--lag-limit <size>",
        "how far behind it may be when it begins (default: 16MB)",
        sizeOption,
      ) // prettier-ignore
      .option("--dry-run", "print checks and steps; change nothing")
      .option("--plan <digest>", planHelp)
      .option("--yes", "don't ask for confirmation"),
  );
  withExamples(command, "switchover ESHA --to srv129 --dry-run", "switchover ESHA --to srv129");
  command.action(async (cluster: string, options: Options) => {
    const request = parseRequest(SwitchoverRequest, {
      to: options.to,
      lagLimitBytes: options.lagLimit ?? null,
      dryRun: options.dryRun ?? false,
      plan: options.plan ?? null,
      requestedBy: context.requestedBy,
    });
    const path = `/clusters/${encodeURIComponent(cluster)}/switchover`;
    await planAndRun(context, path, request, options.to, options);
  });
}
