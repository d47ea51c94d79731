import type { Command } from "commander";
import { ImportRequest, type ClusterAnswer, type ImportAnswer } from "../../api/contract.ts";
import { printResult, type CliContext } from "../context.ts";
import { parseRequest, withJson } from "../options.ts";
import { addClusterRunCommands } from "./cluster-run.ts";

export function addClusterCommands(program: Command, context: CliContext): void {
  const cluster = program
    .command("cluster")
    .description("clusters: their declarations (cluster.yaml), start, stop, restart");
  withJson(
    cluster
      .command("import")
      .description(
        "write the declaration of a running cluster from what its agents see; changes nothing on the hosts",
      )
      .argument("<cluster>")
      .option(
        "--node <name...>",
        "joined agents that make it up (default: all of one system identifier)",
      )
      .option("--dry-run", "print it, write nothing"),
  ).action(async (name: string, options: { node?: string[]; dryRun?: boolean; json?: boolean }) => {
    const request = parseRequest(ImportRequest, {
      name,
      nodes: options.node ?? [],
      dryRun: options.dryRun ?? false,
    });
    const answer = await context.client().post<ImportAnswer>("/clusters/import", request);
    printResult(context, options.json, answer, [
      ...answer.yaml.trimEnd().split("\n"),
      "",
      ...answer.warnings.map((warning) => `warning: ${warning}`),
      answer.written
        ? `Written to ${answer.file}.`
        : `Not written (dry run); it would be ${answer.file}.`,
    ]);
  });
  withJson(
    cluster.command("show").description("print the declaration").argument("<cluster>"),
  ).action(async (name: string, options: { json?: boolean }) => {
    const answer = await loadCluster(context, name);
    printResult(context, options.json, answer, answer.yaml.trimEnd().split("\n"));
  });
  withJson(
    cluster.command("validate").description("check the declaration").argument("<cluster>"),
  ).action(async (name: string, options: { json?: boolean }) => {
    const answer = await loadCluster(context, name);
    const nodes = answer.declaration.nodes.map((node) => node.name).join(", ");
    printResult(context, options.json, answer, [`${answer.file} is valid: ${nodes}`]);
  });
  addClusterRunCommands(cluster, context);
}

function loadCluster(context: CliContext, name: string): Promise<ClusterAnswer> {
  return context.client().get<ClusterAnswer>(`/clusters/${encodeURIComponent(name)}`);
}
