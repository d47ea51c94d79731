import type { Command } from "commander";
import { TokenRequest, type TokenAnswer } from "../../api/contract.ts";
import { printResult, type CliContext } from "../context.ts";
import { parseRequest, withJson } from "../options.ts";
import { renderTime } from "../render/units.ts";

export function addTokenCommands(program: Command, context: CliContext): void {
  const token = program.command("token").description("one-time tokens with which agents join");
  withJson(
    token
      .command("create")
      .description("make a token and print the line to paste on the host")
      .requiredOption("--node <name>", "node that the agent will speak for")
      .option("--valid <minutes>", "how long it can be used", Number, 60),
  ).action(async (options: { node: string; valid: number; json?: boolean }) => {
    const request = parseRequest(TokenRequest, { node: options.node, validMinutes: options.valid });
    const answer = await context.client().post<TokenAnswer>("/tokens", request);
    printResult(context, options.json, answer, [
      `Paste this on the host of ${answer.node} as root, before ${renderTime(answer.expiresAt)}; add --user and what differs from the product's defaults (castellan-agent join --help):`,
      "",
      `  ${answer.joinLine}`,
    ]);
  });
}
