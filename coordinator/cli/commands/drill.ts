import { type Command, Option } from "commander";
import { Failure } from "#shared/errors.ts";
import type { OperationSummary } from "../../api/contract.ts";
import { DrillRequest } from "../../api/drill-contract.ts";
import { drillReport } from "../../operations/drill/report.ts";
import type { OperationRecord } from "../../store/store.ts";
import { printResult, type CliContext } from "../context.ts";
import { parseRequest, withExamples, withJson } from "../options.ts";
import { planAndRun, planHelp, type PlanOptions } from "../plan-and-run.ts";
import { renderDrill } from "../render/drill.ts";
import { renderOperationList } from "../render/operation.ts";

type Options = PlanOptions & {
  readonly node: string;
  readonly scenario: string;
  readonly kind: string;
  readonly restore?: boolean;
  readonly acceptLoss?: boolean;
};

export function addDrillCommands(program: Command, context: CliContext): void {
  const drill = program.command("drill").description("a fault on purpose: what the pool's clients feel of it"); // prettier-ignore
  const run = withJson(
    drill
      .command("run", { isDefault: true })
      .description("stop or kill a node while a client writes and reads, and report")
      .argument("<cluster>")
      .requiredOption(
        "--node <node>",
        "the node that fails; of a cascade, the standby that is to take over",
      )
      .addOption(
        new Option(
          "--scenario <scenario>",
          "cascade: every other standby is stopped, then the primary",
        )
          .choices(["node", "cascade"])
          .default("node"),
      )
      .addOption(
        new Option("--kind <kind>", "fast stop, or SIGKILL of the postmaster")
          .choices(["stop", "kill"])
          .default("stop"),
      )
      .option("--restore", "bring back what failed, and who led before leads again")
      .option("--accept-loss", "kill although commits wait for no standby")
      .option("--dry-run", "print checks and steps; change nothing")
      .option("--plan <digest>", planHelp)
      .option("--yes", "don't ask for confirmation"),
  );
  withExamples(
    run,
    "drill ESHA --node srv129 --dry-run",
    "drill ESHA --node srv127 --restore",
    "drill ESHA --scenario cascade --node srv159 --restore",
  );
  run.action(async (cluster: string, options: Options) => {
    const request = parseRequest(DrillRequest, {
      node: options.node,
      scenario: options.scenario,
      kind: options.kind,
      restore: options.restore ?? false,
      acceptLoss: options.acceptLoss ?? false,
      dryRun: options.dryRun ?? false,
      plan: options.plan ?? null,
      requestedBy: context.requestedBy,
    });
    const path = `/clusters/${encodeURIComponent(cluster)}/drill`;
    await planAndRun(context, path, request, options.node, options);
  });
  withJson(drill.command("list").description("every drill, newest first")).action(
    async (options: { json?: boolean }) => {
      const records = await drills(context);
      printResult(context, options.json, records, renderOperationList(records));
    },
  );
  withJson(
    drill
      .command("show")
      .description("the report, as Markdown")
      .argument("[operation]", "the newest one where none is named"),
  ).action(async (named: string | undefined, options: { json?: boolean }) => {
    const id = named ?? (await drills(context))[0]?.id;
    if (id === undefined) throw new Failure("NOT_FOUND", "There was no drill yet.");
    const record = await context.client().get<OperationRecord>(`/operations/${encodeURIComponent(id)}`); // prettier-ignore
    if (record.kind !== "drill") throw new Failure("NOT_FOUND", `${id} is no drill, but ${record.kind}.`); // prettier-ignore
    const report = drillReport(record);
    printResult(context, options.json, report, renderDrill(report));
  });
}

async function drills(context: CliContext): Promise<readonly OperationSummary[]> {
  const all = await context.client().get<readonly OperationSummary[]>("/operations");
  return all.filter(({ kind }) => kind === "drill");
}
