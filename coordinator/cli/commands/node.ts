import { Option, type Command } from "commander";
import { failures } from "#shared/errors.ts";
import { AddNodeRequest, PoolPrepareRequest, type PreflightAnswer } from "../../api/contract.ts";
import { addRejoinCommands } from "./rejoin.ts";
import { addRemoveCommand } from "./remove.ts";
import { printResult, type CliContext } from "../context.ts";
import { planAndRun, planHelp } from "../plan-and-run.ts";
import { parseRequest, portOption, sizeOption, withJson } from "../options.ts";
import { renderChecks, renderForecast } from "../render/checks.ts";

type NodeOptions = {
  readonly address: string;
  readonly port?: number;
  readonly dataDir?: string;
  readonly nic?: string;
  readonly like?: string;
  readonly source?: string;
  readonly maxRate?: number;
  readonly walBudget?: number;
  readonly verify?: string;
  readonly onFailure?: string;
  readonly dryRun?: boolean;
  readonly plan?: string;
  readonly acceptNotPromotable?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
  readonly all?: boolean;
};

export function addNodeCommands(program: Command, context: CliContext): void {
  const node = program.command("node").description("data nodes of a cluster");
  addRejoinCommands(node, context);
  addRemoveCommand(node, context);
  withJson(
    nodeOptions(
      node
        .command("add")
        .description("add a data node to a running cluster; nothing is stopped or restarted")
        .argument("<cluster>")
        .argument("<node>"),
    )
      .option(
        "--dry-run",
        "print checks, forecast and every step with its exact edits; change nothing",
      )
      .option("--plan <digest>", planHelp)
      .addOption(
        new Option(
          "--on-failure <what>",
          "what follows when the retries of a step are used up: wait for you, or take everything back",
        )
          .choices(["pause", "rollback"])
          .default("pause"),
      )
      .addOption(
        new Option("--verify <level>", "how the copied tables are compared with the primary's")
          .choices(["none", "counts", "content"])
          .default("counts"),
      )
      .option("--yes", "don't ask for confirmation"),
  ).action((cluster: string, name: string, options: NodeOptions) =>
    addNode(context, cluster, name, options),
  );

  withJson(
    nodeOptions(
      program
        .command("preflight")
        .description("every check of node add, and the forecast; changes nothing")
        .argument("<cluster>")
        .argument("<node>"),
    ).option("--all", "show the checks that pass, too"),
  ).action(async (cluster: string, name: string, options: NodeOptions) => {
    const request = toRequest(context, name, options, true);
    const answer = await context
      .client()
      .post<PreflightAnswer>(`${clusterPath(cluster)}/preflight`, request);
    const lines = [
      ...renderChecks(answer.checks, options.all === true),
      ...(answer.forecast === null ? [] : renderForecast(answer.forecast)),
    ];
    printResult(context, options.json, answer, lines);
    const failed = answer.checks.some((check) => check.status === "fail");
    if (failed) context.setExitCode(failures.PREFLIGHT_FAILED.exitCode);
    else if (answer.forecast !== null && answer.forecast.refusals.length > 0) {
      context.setExitCode(failures.FORECAST_REFUSED.exitCode);
    }
  });

  const pool = program.command("pool").description("the read/write splitter");
  withJson(
    pool
      .command("prepare")
      .description(
        "declare a future node's row in every pool now, so that adding it later is an attach alone",
      )
      .argument("<cluster>")
      .argument("<node>")
      .requiredOption("--address <address>", "the future node's address")
      .option("--port <port>", "its database port (default: as the other nodes)", portOption)
      .option("--data-dir <directory>", "its data directory (default: as the other nodes)")
      .option("--dry-run", "print the edits; change nothing")
      .option("--plan <digest>", planHelp)
      .option("--yes", "don't ask for confirmation"),
  ).action(async (cluster: string, name: string, options: NodeOptions) => {
    const request = parseRequest(PoolPrepareRequest, {
      node: name,
      address: options.address,
      port: options.port ?? null,
      dataDirectory: options.dataDir ?? null,
      dryRun: options.dryRun ?? false,
      plan: options.plan ?? null,
      requestedBy: context.requestedBy,
    });
    await planAndRun(context, `${clusterPath(cluster)}/pool-prepare`, request, name, options);
  });
}

function nodeOptions(command: Command): Command {
  return command
    .requiredOption("--address <address>", "address of the new node")
    .option("--port <port>", "its database port", portOption)
    .option("--data-dir <directory>", "its data directory")
    .option("--nic <name>", "interface that carries the address")
    .option(
      "--like <node>",
      "node that it follows in all that is not given (default: the newest standby)",
    )
    .option("--source <node>", "node to copy from (default: the primary)")
    .option("--max-rate <size>", "most bytes per second to copy, e.g. 50M", sizeOption)
    .option(
      "--wal-budget <size>",
      "most WAL that its slot may hold back on the primary, for ever, e.g. 20G (default: the coordinator's setting)",
      sizeOption,
    )
    .option("--accept-not-promotable", "add it although the vendor's scripts could not promote it");
}

function toRequest(
  context: CliContext,
  name: string,
  options: NodeOptions,
  dryRun: boolean,
): AddNodeRequest {
  return parseRequest(AddNodeRequest, {
    node: name,
    address: options.address,
    port: options.port ?? null,
    dataDirectory: options.dataDir ?? null,
    nic: options.nic ?? null,
    like: options.like ?? null,
    source: options.source ?? null,
    maxRateBytesPerSecond: options.maxRate ?? null,
    walBudgetBytes: options.walBudget ?? null,
    verify: options.verify ?? "counts",
    onFailure: options.onFailure ?? "pause",
    dryRun,
    plan: options.plan ?? null,
    acceptNotPromotable: options.acceptNotPromotable ?? false,
    requestedBy: context.requestedBy,
  });
}

function clusterPath(cluster: string): string {
  return `/clusters/${encodeURIComponent(cluster)}`;
}

async function addNode(
  context: CliContext,
  cluster: string,
  name: string,
  options: NodeOptions,
): Promise<void> {
  const request = toRequest(context, name, options, options.dryRun === true);
  await planAndRun(context, `${clusterPath(cluster)}/nodes`, request, name, options);
}
