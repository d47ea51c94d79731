import type { Command } from "commander";
import type { RuleAnswer } from "../../api/contract.ts";
import { printResult, type CliContext } from "../context.ts";
import { withExamples, withJson } from "../options.ts";
import { renderRule, renderRules } from "../render/rules.ts";

export function addRuleCommands(program: Command, context: CliContext): void {
  const rules = withExamples(
    program
      .command("rules")
      .description("what has to agree across the files, servers and hosts of a cluster"),
    "rules list",
    "rules explain vip-mask",
  );
  withJson(rules.command("list").description("every rule, the broken ones first")).action(
    async (options: { json?: boolean }) => {
      const answer = await context.client().get<RuleAnswer[]>("/rules");
      printResult(context, options.json, answer, renderRules(answer));
    },
  );
  withJson(
    rules
      .command("explain")
      .description("one rule: when it is kept, what to do, where it is broken now")
      .argument("<rule>"),
  ).action(async (rule: string, options: { json?: boolean }) => {
    const answer = await context.client().get<RuleAnswer>(`/rules/${encodeURIComponent(rule)}`);
    printResult(context, options.json, answer, renderRule(answer));
  });
}
