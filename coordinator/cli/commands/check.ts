import type { Command } from "commander";
import type { ChecksAnswer } from "../../api/contract.ts";
import { printResult, type CliContext } from "../context.ts";
import { withJson } from "../options.ts";
import { renderCheckList } from "../render/check-list.ts";

export function addCheckCommands(program: Command, context: CliContext): void {
  const check = program.command("check").description("the agents' periodic checks");
  withJson(
    check
      .command("list")
      .description("every check: when it runs, when it ran, what it found")
      .argument("[cluster|node]", "those of one cluster or node only"),
  ).action(async (name: string | undefined, options: { json?: boolean }) => {
    const path = name === undefined ? "/checks" : `/checks/${encodeURIComponent(name)}`;
    const answer = await context.client().get<ChecksAnswer>(path);
    printResult(context, options.json, answer, renderCheckList(answer));
  });
}
