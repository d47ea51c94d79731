import { Command } from "commander";
import { defaultStateDirectory } from "../settings.ts";
import { version } from "#shared/version.ts";
import { addAlertCommands } from "./commands/alert.ts";
import { addCheckCommands, answerUsageAsUnknown } from "./commands/check.ts";
import { addClusterCommands } from "./commands/cluster.ts";
import { addCompletionCommand } from "./commands/completion.ts";
import { addEventsCommand } from "./commands/events.ts";
import { addDriftCommands } from "./commands/drift.ts";
import { addFailoverCommand } from "./commands/failover.ts";
import { addFileCommands } from "./commands/file.ts";
import { addGuardCommands } from "./commands/guard.ts";
import { addNodeCommands } from "./commands/node.ts";
import { addOperationCommands } from "./commands/operation.ts";
import { addRuleCommands } from "./commands/rules.ts";
import { addSlotCommands } from "./commands/slot.ts";
import { addDrillCommands } from "./commands/drill.ts";
import { addSwitchoverCommand } from "./commands/switchover.ts";
import { addStatusCommands } from "./commands/status.ts";
import { addTokenCommands } from "./commands/token.ts";
import { addWhyCommand } from "./commands/why.ts";
import type { CliContext } from "./context.ts";

/** The tree of `castellan` commands; those that run the coordinator itself are added by main.ts. */
export function createCommandLine(context: CliContext): Command {
  const program = new Command("castellan")
    .description("Runs the standby nodes of KingbaseES V8R3 and PostgreSQL clusters.")
    .version(version)
    .option(
      "--socket <path>",
      "the coordinator's API socket (default: CASTELLAN_SOCKET, else in the state directory)",
    )
    .option("--state-dir <directory>", "the coordinator's state directory", defaultStateDirectory)
    .enablePositionalOptions()
    .addHelpText("after", "\nExit status: docs/errors.md lists them all; 0 is success.");
  addTokenCommands(program, context);
  addClusterCommands(program, context);
  addStatusCommands(program, context);
  addWhyCommand(program, context);
  addGuardCommands(program, context);
  addAlertCommands(program, context);
  addEventsCommand(program, context);
  addRuleCommands(program, context);
  addSlotCommands(program, context);
  const plugins = addCheckCommands(program, context);
  addDriftCommands(program, context);
  addFileCommands(program, context);
  addNodeCommands(program, context);
  addSwitchoverCommand(program, context);
  addDrillCommands(program, context);
  addFailoverCommand(program, context);
  addOperationCommands(program, context);
  addCompletionCommand(program, context);
  finish(program, "castellan");
  answerUsageAsUnknown(plugins, context);
  return program;
}

/** A command that was typed wrong names its own help, not that of the whole program. */
function finish(command: Command, words: string): void {
  command.exitOverride().showHelpAfterError(`(${words} --help says what it takes)`);
  for (const child of command.commands) finish(child, `${words} ${child.name()}`);
}
