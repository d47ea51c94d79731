import type { Command } from "commander";
import { Failure } from "#shared/errors.ts";
import {
  AcceptDriftRequest,
  RevertDriftRequest,
  type DriftAccepted,
  type DriftAnswer,
  type DriftShown,
  type RevertAnswer,
} from "../../api/drift-contract.ts";
import { confirm } from "../confirm.ts";
import { printResult, type CliContext } from "../context.ts";
import { hashOption, parseRequest, withExamples, withJson } from "../options.ts";
import { renderAccepted, renderDrift, renderDriftShown } from "../render/drift.ts";
import { renderPlan } from "../render/plan.ts";
import { watchOperation } from "../watch-operation.ts";

type DriftOptions = {
  readonly hash?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
};

const fileHelp = "its path, or the end of it, e.g. pg_hba.conf";
const hashHelp = "only if it is still the difference with this hash, as drift show printed it; asks nothing"; // prettier-ignore

export function addDriftCommands(program: Command, context: CliContext): void {
  const drift = withExamples(
    program.command("drift").description("files that are not as accepted"),
    "drift list ESHA",
    "drift show srv127 sys_hba.conf",
    "drift revert srv127 db/etc/HAmodule.conf --dry-run",
    "drift accept srv127 sys_hba.conf --hash 0123456789abcdef",
  );
  withJson(
    drift
      .command("list")
      .description("changed files, settings that are not in force, broken rules")
      .argument("[cluster]", "one cluster only"),
  ).action(async (cluster: string | undefined, options: DriftOptions) => {
    const query = cluster === undefined ? "" : `?cluster=${encodeURIComponent(cluster)}`;
    const answer = await context.client().get<DriftAnswer>(`/drift${query}`);
    printResult(context, options.json, answer, renderDrift(answer));
  });
  withJson(
    drift
      .command("show")
      .description("what differs, what it means, who made it so and when, whether it is in force")
      .argument("<node>")
      .argument("<file>", fileHelp),
  ).action(async (node: string, file: string, options: DriftOptions) => {
    const shown = await show(context, node, file);
    printResult(context, options.json, shown, renderDriftShown(shown));
  });
  withJson(
    drift
      .command("accept")
      .description("take what stands on the host for right from now on")
      .argument("<node>")
      .argument("<file>", fileHelp)
      .option("--hash <hash>", hashHelp, hashOption)
      .option("--force", "also a file that can't be parsed any more")
      .option("--yes", "whatever stands there now; asks nothing"),
  ).action((node: string, file: string, options: DriftOptions) =>
    accept(context, node, file, options),
  );
  withJson(
    drift
      .command("revert")
      .description("put the file back to what is accepted, and reload where a reload suffices")
      .argument("<node>")
      .argument("<file>", fileHelp)
      .option("--hash <hash>", hashHelp, hashOption)
      .option("--dry-run", "print what would change back; change nothing")
      .option("--yes", "whatever stands there now; asks nothing"),
  ).action((node: string, file: string, options: DriftOptions) =>
    revert(context, node, file, options),
  );
}

function show(context: CliContext, node: string, file: string): Promise<DriftShown> {
  const query = new URLSearchParams({ node, file }).toString();
  return context.client().get<DriftShown>(`/drift/show?${query}`);
}

/** The hash of what a person has agreed to; null where it may be anything. */
async function agreed(options: DriftOptions, ask: () => Promise<string>): Promise<string | null> {
  if (options.hash !== undefined) return options.hash;
  return options.yes === true ? null : ask();
}

async function accept(
  context: CliContext,
  node: string,
  file: string,
  options: DriftOptions,
): Promise<void> {
  const shown = await agreed(options, async () => {
    const found = await show(context, node, file);
    printForPerson(context, options, renderDriftShown(found));
    const { shown: hash } = found;
    await confirm(context, nameOf(found.path), `repeat with --hash ${hash} for this difference, or with --yes for any`); // prettier-ignore
    return found.shown;
  });
  const request = parseRequest(AcceptDriftRequest, {
    node,
    file,
    shown,
    force: options.force ?? false,
    requestedBy: context.requestedBy,
  });
  const accepted = await context.client().post<DriftAccepted>("/drift/accept", request);
  printResult(context, options.json, accepted, renderAccepted(accepted));
}

async function revert(
  context: CliContext,
  node: string,
  file: string,
  options: DriftOptions,
): Promise<void> {
  const post = (dryRun: boolean, shown: string | null): Promise<RevertAnswer> =>
    context.client().post<RevertAnswer>(
      "/drift/revert",
      parseRequest(RevertDriftRequest, {
        node,
        file,
        shown,
        dryRun,
        requestedBy: context.requestedBy,
      }),
    );
  if (options.dryRun === true) {
    const { plan } = await post(true, options.hash ?? null);
    const next = `To do this and nothing else: repeat the command with --hash ${plan.digest ?? ""} instead of --dry-run.`;
    printResult(context, options.json, plan, [...renderPlan(plan), next]);
    return;
  }
  const shown = await agreed(options, async () => {
    const { plan } = await post(true, null);
    printForPerson(context, options, renderPlan(plan));
    const { digest = "" } = plan;
    await confirm(context, nameOf(file), `repeat with --hash ${digest} for this difference, or with --yes for any`); // prettier-ignore
    return digest;
  });
  const { operation } = await post(false, shown);
  if (operation === null) {
    throw new Failure("INTERNAL", "The coordinator planned but did not begin.");
  }
  if (options.json !== true) {
    context.terminal.print([
      `Operation ${operation.id} began. Ctrl-C stops looking, not the operation.`,
    ]);
  }
  await watchOperation(context, operation.id, options.json);
}

/** Standard output is the answer's alone where a program reads it. */
function printForPerson(
  { terminal }: CliContext,
  { json }: DriftOptions,
  lines: readonly string[],
): void {
  (json === true ? terminal.printError : terminal.print)(lines);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
