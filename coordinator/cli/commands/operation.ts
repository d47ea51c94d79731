import type { Command } from "commander";
import { Failure } from "#shared/errors.ts";
import type { OperationSummary, ShownOperation } from "../../api/contract.ts";
import type { OperationRecord } from "../../store/store.ts";
import { printResult, type CliContext } from "../context.ts";
import { withJson } from "../options.ts";
import { operationEnd } from "../../operations/operation-end.ts";
import { renderEnd } from "../render/operation-end.ts";
import { renderOperation, renderOperationList } from "../render/operation.ts";
import { watchOperation } from "../watch-operation.ts";

export function addOperationCommands(program: Command, context: CliContext): void {
  const operation = program.command("operation").description("what was asked for, and how it went");
  const path = (id: string) => `/operations/${encodeURIComponent(id)}`;

  withJson(operation.command("list").description("all of them, newest first")).action(
    async (options: { json?: boolean }) => {
      const records = await context.client().get<OperationSummary[]>("/operations");
      printResult(context, options.json, records, renderOperationList(records));
    },
  );
  withJson(
    operation
      .command("show")
      .description("plan, steps, evidence; last of all how it stands and what to type")
      .argument("[id]", "the newest one where none is named"),
  ).action(async (named: string | undefined, options: { json?: boolean }) => {
    const id = named ?? (await newestId(context));
    const shown = await context.client().get<ShownOperation>(path(id));
    printResult(context, options.json, shown, renderOperation(shown));
  });
  withJson(
    operation.command("watch").description("look on until it ends or pauses").argument("<id>"),
  ).action(async (id: string, options: { json?: boolean }) =>
    watchOperation(context, id, options.json),
  );
  withJson(
    operation
      .command("resume")
      .description("go on from the first unfinished step, after the cause is mended")
      .argument("<id>")
      .option("--detach", "don't look on"),
  ).action(async (id: string, options: { detach?: boolean; json?: boolean }) =>
    change(context, `${path(id)}/resume`, id, options),
  );
  withJson(
    operation
      .command("abort")
      .description("stop it and take back everything that it made")
      .argument("<id>")
      .option("--detach", "don't look on")
      .option(
        "--leave",
        "end one that needs attention although something is left, as operation show lists it: its host is gone for good",
      )
      .option(
        "--after-restore",
        "take back one that is held since the journal was restored, although its node may be in use",
      ),
  ).action(async (id: string, options: AbortOptions) => {
    if (options.leave === true) {
      const record = await context.client().post<OperationRecord>(`${path(id)}/leave`, {});
      printResult(context, options.json, record, renderEnd(id, operationEnd(record)));
      return;
    }
    const query = options.afterRestore === true ? "?after-restore=1" : "";
    await change(context, `${path(id)}/abort${query}`, id, options);
    if (options.detach === true) return;
    // Rolled back is what was asked for here.
    const { state } = await context.client().get<OperationRecord>(path(id));
    if (state === "rolled-back" || state === "cancelled") context.setExitCode(0);
  });
}

async function newestId(context: CliContext): Promise<string> {
  const [newest] = await context.client().get<OperationSummary[]>("/operations");
  if (newest === undefined) throw new Failure("NOT_FOUND", "No operation was ever asked for.");
  return newest.id;
}

type AbortOptions = {
  readonly detach?: boolean;
  readonly leave?: boolean;
  readonly afterRestore?: boolean;
  readonly json?: boolean;
};

async function change(
  context: CliContext,
  path: string,
  id: string,
  options: { detach?: boolean; json?: boolean },
): Promise<void> {
  const record = await context.client().post<OperationRecord>(path, {});
  if (options.detach === true) {
    printResult(context, options.json, record, [`operation ${id} is ${record.state}`]);
    return;
  }
  await watchOperation(context, id, options.json);
}
