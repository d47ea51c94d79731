import { Argument, type Command } from "commander";
import type { CliContext } from "../context.ts";
import { renderCompletion, type CommandShape } from "../render/completion.ts";

export function addCompletionCommand(program: Command, context: CliContext): void {
  program
    .command("completion")
    .description("print a completion script: source <(castellan completion bash)")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh"]))
    .action((shell: "bash" | "zsh") => {
      context.terminal.print(renderCompletion(shapeOf(program), shell));
    });
}

function shapeOf(command: Command): CommandShape {
  return {
    name: command.name(),
    options: [...command.options.map((option) => option.long ?? option.flags), "--help"],
    commands: command.commands.map(shapeOf),
  };
}
