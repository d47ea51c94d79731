import { Failure } from "#shared/errors.ts";
import type { AddNodeAnswer } from "../api/contract.ts";
import { confirm } from "./confirm.ts";
import { printResult, type CliContext } from "./context.ts";
import { renderChecks, renderForecast } from "./render/checks.ts";
import { renderPlan } from "./render/plan.ts";
import { watchOperation, type OperationEpilogue } from "./watch-operation.ts";

export type PlanOptions = {
  readonly dryRun?: boolean;
  readonly plan?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
};

export const planHelp =
  "run it only if the plan is still the one with this digest, as --dry-run printed it; asks nothing";

/**
 * Dry run: the whole plan. Otherwise: plan, typed confirmation unless --yes or --plan, run, look on. What is run is what
 * was confirmed, or nothing.
 */
export async function planAndRun(
  context: CliContext,
  path: string,
  request: Readonly<Record<string, unknown>>,
  subject: string,
  options: PlanOptions,
  epilogue?: () => Promise<OperationEpilogue>,
): Promise<void> {
  const post = (dryRun: boolean, agreed?: string) =>
    context.client().post<AddNodeAnswer>(path, {
      ...request,
      dryRun,
      ...(agreed === undefined ? {} : { plan: agreed }),
    });
  if (options.dryRun === true) {
    const { plan } = await post(true);
    const next = `To run this plan and no other: repeat the command with --plan ${plan.digest ?? ""} instead of --dry-run.`;
    printResult(context, options.json, plan, [...renderPlan(plan), next]);
    return;
  }
  const asks = options.yes !== true && options.plan === undefined;
  let agreed: string | undefined;
  if (asks) {
    const { plan } = await post(true);
    // Standard output is the answer's alone where a program reads it.
    const { print, printError } = context.terminal;
    (options.json === true ? printError : print)(renderPlan(plan));
    await confirm(context, subject);
    agreed = plan.digest;
  }
  const { plan, operation } = await post(false, agreed);
  if (operation === null)
    throw new Failure("INTERNAL", "The coordinator planned but did not begin.");
  if (options.json !== true && !asks) {
    context.terminal.print([
      ...renderChecks(plan.checks, false),
      ...(plan.forecast === null ? [] : renderForecast(plan.forecast)),
      ...plan.notes.map((note) => `note: ${note}`),
    ]);
  }
  if (options.json !== true) {
    context.terminal.print([
      `Operation ${operation.id} began. Ctrl-C stops looking, not the operation.`,
    ]);
  }
  await watchOperation(context, operation.id, options.json, epilogue);
}
