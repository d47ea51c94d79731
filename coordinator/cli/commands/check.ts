import { InvalidArgumentError, type Command, type CommanderError } from "commander";
import { asFailure, Failure } from "#shared/errors.ts";
import type { ChecksAnswer, ClusterStatus } from "../../api/contract.ts";
import { printResult, type CliContext } from "../context.ts";
import { withExamples, withJson } from "../options.ts";
import { renderCheckList } from "../render/check-list.ts";
import {
  judgeNode,
  monitorExitCodes,
  monitorResult,
  monitorVerbs,
  renderMonitorResult,
  type MonitorResult,
  type Threshold,
  type Thresholds,
} from "../render/monitor-check.ts";
import { parseDuration, parseSize } from "../render/units.ts";
import { readStatus } from "./status.ts";

type Options = Thresholds & { readonly json?: boolean };

/** Answers those that a monitoring system calls: `plugins`. */
export function addCheckCommands(program: Command, context: CliContext): readonly Command[] {
  const check = program
    .command("check")
    .description("the agents' periodic checks; and one line each for a monitoring system");
  withExamples(check, "check list", "check cluster ESHA", "check lag ESHA --warning 16M --critical 1G"); // prettier-ignore
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
  const node = plugin(check, "node", "everything that is found of one node").argument("<node>");
  node.action(async (cluster: string, name: string, options: Options) => {
    await answer(context, cluster, options, (found) => {
      const one = found.nodes.find((each) => each.name === name);
      if (one === undefined) throw new Failure("NOT_FOUND", `There is no node ${name} in ${cluster}.`); // prettier-ignore
      return monitorResult(`${cluster} ${name}`, judgeNode(found, one));
    });
  });
  const others = Object.entries(monitorVerbs).map(
    ([verb, { description, judge, hasThresholds }]) => {
      const command = plugin(check, verb, description);
      if (hasThresholds === true) {
        command
          .option("--warning <limit>", "above it WARNING", thresholdOption)
          .option("--critical <limit>", "above it CRITICAL", thresholdOption);
      }
      return command.action(async (cluster: string, options: Options) => {
        await answer(context, cluster, options, (found) =>
          monitorResult(cluster, judge(found, options)),
        );
      });
    },
  );
  return [node, ...others];
}

/** A monitoring system takes 2 for CRITICAL: what was typed wrong is UNKNOWN, on the line that it reads. */
export function answerUsageAsUnknown(
  plugins: readonly Command[],
  { terminal, setExitCode }: CliContext,
): void {
  for (const command of plugins) {
    command.exitOverride((error: CommanderError) => {
      if (error.exitCode !== 0) {
        terminal.print([renderMonitorResult(unknown(error.message))]);
        setExitCode(monitorExitCodes.UNKNOWN);
      }
      throw error;
    });
  }
}

function plugin(check: Command, verb: string, description: string): Command {
  return withJson(check.command(verb).description(description).argument("<cluster>"));
}

async function answer(
  context: CliContext,
  cluster: string,
  { json }: Options,
  judge: (found: ClusterStatus) => MonitorResult,
): Promise<void> {
  const result = await readStatus(context, cluster)
    .then(({ clusters: [found] }) => {
      if (found === undefined) throw new Failure("NOT_FOUND", `There is no cluster ${cluster}.`);
      return judge(found);
    })
    .catch((error: unknown) => unknown(asFailure(error).message));
  printResult(context, json, result, [renderMonitorResult(result)]);
  context.setExitCode(monitorExitCodes[result.status]);
}

function unknown(text: string): MonitorResult {
  return { status: "UNKNOWN", text, perfdata: [] };
}

/** `30s`, `5m` are times, whatever else is a size: `16M`, `1G`. */
function thresholdOption(text: string): Threshold {
  const ms = parseDuration(text);
  if (ms !== null) return { unit: "ms", value: ms };
  const bytes = parseSize(text);
  if (bytes !== null) return { unit: "bytes", value: bytes };
  throw new InvalidArgumentError("a size such as 16M or a time such as 30s is wanted.");
}
