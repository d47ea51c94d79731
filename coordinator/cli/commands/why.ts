import type { Command } from "commander";
import type { WhyAnswer } from "../../api/contract.ts";
import { printResult, type CliContext } from "../context.ts";
import { timeOption, withExamples, withJson } from "../options.ts";
import { renderWhy } from "../render/why.ts";

export function addWhyCommand(program: Command, context: CliContext): void {
  withJson(
    withExamples(
      program
        .command("why")
        .description("what was decided about an operation or a node, and from what")
        .argument("<id|node>")
        .option(
          "--at <time>",
          "of a node: what its guard saw and decided up to then, 2026-11-22 20:14[:30] (UTC)",
          timeOption,
        ),
      "why op-k3m8qzrt2v7x",
      'why srv129 --at "2026-11-22 20:14"',
    ),
  ).action(async (subject: string, options: { at?: number; json?: boolean }) => {
    const at = options.at === undefined ? "" : `?at=${options.at}`;
    const path = `/why/${encodeURIComponent(subject)}${at}`;
    const answer = await context.client().get<WhyAnswer>(path);
    printResult(context, options.json, answer, renderWhy(answer));
  });
}
