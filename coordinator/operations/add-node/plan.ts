import { Failure } from "#shared/errors.ts";
import type { CheckResult, Plan, PlanStep } from "../plan.ts";
import { type CopyForecast, walBudgetLimit } from "./forecast.ts";
import { printSeconds } from "./print-units.ts";
import { accessSteps } from "./plan/access-steps.ts";
import { closingSteps } from "./plan/closing-steps.ts";
import type { PlanContext } from "./plan/common.ts";
import { copySteps } from "./plan/copy-steps.ts";
import { fileSteps } from "./plan/file-steps.ts";
import { plannedFiles } from "./plan/planned-files.ts";
import { canHoldDoor, registerSteps } from "./plan/register-steps.ts";
import { slotAfterCopyStep, slotSteps } from "./plan/slot-steps.ts";
import { startSteps } from "./plan/start-steps.ts";
import { openPoolSessions } from "./registration.ts";
import type { Situation } from "./situation.ts";

export type PlanAddNodeInput = {
  readonly situation: Situation;
  readonly checks: readonly CheckResult[];
  readonly forecast: CopyForecast;
};

/**
 * Every step of adding a node, in the safe order: nothing is copied before its WAL is kept, nothing is registered
 * before it streams, nothing is declared before it is proved.
 */
export function planAddNode({ situation, checks, forecast }: PlanAddNodeInput): Plan {
  const context = contextOf(situation);
  const steps: readonly PlanStep[] = [
    ...accessSteps(context),
    ...slotSteps(context, forecast.walBudgetBytes),
    ...copySteps(context, forecast.bytesToCopy),
    ...slotAfterCopyStep(context),
    ...fileSteps(context),
    ...startSteps(context),
    ...registerSteps(context),
    ...closingSteps(context),
  ];
  const { secondsToWait, ...figures } = forecast;
  return {
    declaration: situation.declaration,
    declarationHash: situation.declarationHash,
    checks,
    forecast: figures,
    steps,
    notes: notes(context, secondsToWait),
    files: plannedFiles(context),
    walBudgetLimit: walBudgetLimit(situation),
    premise: {
      primary: context.primary.declared.name,
      systemIdentifier: context.systemIdentifier,
      timeline: context.primary.facts?.database.timeline ?? null,
    },
  };
}

function contextOf(situation: Situation): PlanContext {
  const { primary, source } = situation;
  const systemIdentifier = primary?.facts?.database.systemIdentifier ?? null;
  if (primary === null || source === null || systemIdentifier === null) {
    throw new Failure("INTERNAL", "a plan was asked for although preflight can't have passed");
  }
  return { situation, primary, source, systemIdentifier };
}

/** What an operator must know beforehand. */
function notes(context: PlanContext, secondsToWait: number): readonly string[] {
  const { situation, source, primary } = context;
  const node = situation.newcomer.declared;
  const copied =
    source === primary
      ? `The copy asks ${primary.declared.name} for a fast checkpoint: expect a short burst of writes there.`
      : `The copy begins with the next restartpoint of ${source.declared.name}, after at most ${printSeconds(secondsToWait)}.`;
  const followed = `What was not given follows ${situation.like?.declared.name ?? "the defaults"}: port ${node.port}, ${node.paths.dataDirectory}.`;
  return [copied, followed, ...registrationNotes(situation), ...riskNotes(situation)];
}

function registrationNotes(situation: Situation): readonly string[] {
  const { registration, managers } = situation;
  if (registration.way === "none") return ["The cluster has no pool: nothing is registered."];
  const names = managers.map(({ declared }) => declared.name).join(" and ");
  const way =
    registration.way === "attach"
      ? `Way (a), attach: backend ${registration.row.id} is already in the running configuration of ${names}.`
      : `Way (b), reload and attach: backend ${registration.row.id} is not yet in the running configuration of ${names}.`;
  const sessions = openPoolSessions(managers);
  const touched = canHoldDoor(situation)
    ? "the door is held, so each waits a moment and none is cut"
    : "without a packet filter each may have to reconnect once";
  return [way, `Client sessions open through the pools now: ${sessions}; ${touched}.`];
}

function riskNotes(situation: Situation): readonly string[] {
  const { name } = situation.newcomer.declared;
  return [
    ...(situation.request.acceptNotPromotable
      ? [`--accept-not-promotable: the vendor's scripts may be unable to promote ${name}.`]
      : []),
    ...(situation.isOneHost
      ? ["All addresses are of this one host: every client appears as 127.0.0.1."]
      : []),
  ];
}
