import type { Command } from "commander";
import { Failure, failures } from "#shared/errors.ts";
import {
  ConfirmPrimaryRequest,
  MaintenanceRequest,
  RegimeRequest,
  type ConfirmPrimaryAnswer,
  type GuardAnswer,
  type MaintenanceAnswer,
} from "../../api/guard-contract.ts";
import { confirm } from "../confirm.ts";
import { printResult, type CliContext } from "../context.ts";
import { durationWithin, parseRequest, timeOption, withExamples, withJson } from "../options.ts";
import { planAndRun, planHelp, type PlanOptions } from "../plan-and-run.ts";
import { renderGuards, renderMaintenance } from "../render/guard.ts";

type MaintenanceOptions = {
  readonly for?: number;
  readonly until?: number;
  readonly end?: boolean;
  readonly note?: string;
  readonly json?: boolean;
};

export function addGuardCommands(program: Command, context: CliContext): void {
  const guard = withExamples(
    program.command("guard").description("the rules that each node's agent keeps by itself"),
    "guard status ESHA",
    "guard takeover ESHA --dry-run",
    'guard maintenance srv159 --for 2h --note "new disks"',
    "guard maintenance srv159 --end",
  );
  withJson(
    guard
      .command("status")
      .description("each node's mode, what its guard has found, what nearly fires, its checks")
      .argument("[cluster]", "one cluster only"),
  ).action(async (cluster: string | undefined, options: { json?: boolean }) => {
    const query = cluster === undefined ? "" : `?cluster=${encodeURIComponent(cluster)}`;
    const answer = await context.client().get<GuardAnswer>(`/guard${query}`);
    printResult(context, options.json, answer, renderGuards(answer));
  });
  withJson(
    guard
      .command("maintenance")
      .description(
        "the guard goes on watching and does nothing; its alerts are muted until the end",
      )
      .argument("<cluster|node>")
      .option(
        "--for <duration>",
        "30m, 12h, 7d; at most 30d",
        durationWithin(MaintenanceRequest.shape.forMs),
      )
      .option("--until <time>", '"2026-11-22 20:14" (UTC)', timeOption)
      .option("--end", "now; what is muted and still stands is sent")
      .option("--note <text>", "why"),
  ).action(async (what: string, options: MaintenanceOptions) => {
    const { note = null } = options;
    const forMs = lengthOf(options, context.now());
    const { requestedBy } = context;
    const request = parseRequest(MaintenanceRequest, { what, forMs, note, requestedBy });
    const answer = await context.client().post<MaintenanceAnswer>("/guard/maintenance", request);
    printResult(context, options.json, answer, renderMaintenance(answer));
    const failure = answer.nodes.find((node) => node.failure !== null)?.failure ?? null;
    if (failure !== null) context.setExitCode(failures[failure.code].exitCode);
  });
  withJson(
    guard
      .command("confirm-primary")
      .description("your word that a fenced node still is the primary: no other node was promoted")
      .argument("<node>")
      .option("--yes", "don't ask for confirmation"),
  ).action(async (node: string, options: { yes?: boolean; json?: boolean }) => {
    const { requestedBy } = context;
    const request = parseRequest(ConfirmPrimaryRequest, { node, requestedBy });
    if (options.yes !== true) await confirm(context, node, "repeat with --yes");
    const answer = await context.client().post<ConfirmPrimaryAnswer>("/guard/confirm-primary", request); // prettier-ignore
    printResult(context, options.json, answer, answer.lines);
  });
  addRegimeCommand(guard, context, "takeover", "the guards act; the vendor's cron lines are commented, on all nodes or on none"); // prettier-ignore
  addRegimeCommand(guard, context, "handback", "the guards only observe; the vendor's cron lines come back as they were"); // prettier-ignore
}

function addRegimeCommand(
  guard: Command,
  context: CliContext,
  regime: "takeover" | "handback",
  description: string,
): void {
  withJson(
    guard
      .command(regime)
      .description(description)
      .argument("<cluster>")
      .option("--dry-run", "print the edits; change nothing")
      .option("--plan <digest>", planHelp)
      .option("--yes", "don't ask for confirmation"),
  ).action(async (cluster: string, options: PlanOptions) => {
    const request = parseRequest(RegimeRequest, {
      dryRun: options.dryRun ?? false,
      plan: options.plan ?? null,
      requestedBy: context.requestedBy,
    });
    const path = `/clusters/${encodeURIComponent(cluster)}/guard/${regime}`;
    await planAndRun(context, path, request, cluster, options);
  });
}

/** From now on; null to end it. */
function lengthOf({ for: forMs, until, end }: MaintenanceOptions, now: number): number | null {
  const given = [forMs, until, end].filter((option) => option !== undefined);
  if (given.length !== 1) {
    throw new Failure("USAGE", "One of --for, --until and --end is wanted.", {
      hint: "castellan guard maintenance --help",
    });
  }
  if (forMs !== undefined) return forMs;
  if (until === undefined) return null;
  if (until > now) return until - now;
  throw new Failure("USAGE", `--until is ${new Date(until).toISOString()}, which has been.`);
}
