import { oldDirectoryFor } from "#shared/domain/names.ts";
import type { NodeDeclaration } from "#shared/domain/cluster.ts";
import { Failure } from "#shared/errors.ts";
import { walBudgetOn, type CopyForecast } from "../add-node/forecast.ts";
import { rulesOfNewcomer } from "../add-node/hba-rules.ts";
import { maintenanceUpstream, noPreconditions, replicationUpstream, samePrimary, sameCluster, type PlanContext } from "../add-node/plan/common.ts"; // prettier-ignore
import { printBackup } from "../add-node/plan/copy-steps.ts";
import { nodeSettings } from "../add-node/plan/node-settings.ts";
import { startSteps } from "../add-node/plan/start-steps.ts";
import { printBytes } from "../add-node/print-units.ts";
import type { Situation } from "../add-node/situation.ts";
import type { CheckResult, Plan, PlanStep } from "../plan.ts";
import { attachSteps } from "../switchover/plan.ts";
import { managersOf } from "../switchover/situation.ts";
import type { RebuildSituation } from "./situation.ts";

/**
 * The old data is set aside when the copy is whole, and goes when the copy is proved: until then all of it can be taken
 * back.
 */
export function planRebuild(
  situation: RebuildSituation,
  checks: readonly CheckResult[],
  forecast: CopyForecast,
): Plan {
  const { copy } = situation;
  const context = contextOf(copy);
  const { newcomer } = context.situation;
  const { name } = newcomer.declared;
  const steps = [
    ...slotSteps(context),
    stopStep(context),
    copyStep(context, forecast.bytesToCopy),
    ...swapSteps(context, situation.accepted),
    ...provenSteps(context),
    ...attachSteps([newcomer], { ...situation, ...context.situation.limits }),
  ];
  const { secondsToWait: _, ...figures } = forecast;
  return {
    declaration: situation.declaration,
    declarationHash: context.situation.declarationHash,
    checks,
    forecast: figures,
    steps: [...steps, dropStep(newcomer.declared)],
    noReturn: steps.at(-1)?.id ?? "",
    reserves: reservesOf(situation, name),
    notes: notesOf(context),
    premise: {
      primary: context.primary.declared.name,
      systemIdentifier: context.systemIdentifier,
      timeline: context.primary.facts?.database.timeline ?? null,
    },
  };
}

function contextOf(situation: Situation | null): PlanContext {
  const primary = situation?.primary ?? null;
  const systemIdentifier = primary?.facts?.database.systemIdentifier ?? null;
  if (situation === null || primary === null || systemIdentifier === null) {
    throw new Failure("INTERNAL", "a plan was asked for although preflight can't have passed");
  }
  return { situation, primary, source: primary, systemIdentifier };
}

/** One that holds WAL already is left alone: an abort finds it where it was. */
function slotSteps(context: PlanContext): readonly PlanStep[] {
  const { primary, situation } = context;
  const { name: forNode, slot } = situation.newcomer.declared;
  if (retainedBy(context) !== null) return [];
  const on = primary.declared.name;
  const walBudgetBytes = walBudgetOn(situation, primary);
  return [
    {
      id: `renew-slot/${on}`,
      phase: "slots",
      title: `Make slot ${slot} on the primary ${on} anew and reserve WAL from now on`,
      preview: [`may hold back ${printBytes(walBudgetBytes)} of WAL; beyond it the copy is given up`], // prettier-ignore
      on,
      kind: "renew-slot",
      args: { slot, forNode, walBudgetBytes },
      preconditions: samePrimary(context),
    },
  ];
}

/** Bytes of WAL that wait for the node; null where its slot holds none, or there is none. */
function retainedBy({ primary, situation }: PlanContext): number | null {
  const { slot } = situation.newcomer.declared;
  const row = primary.facts?.database.slots.find(({ name }) => name === slot);
  return row?.restartLsn == null ? null : (row.retainedBytes ?? 0);
}

function stopStep({ situation }: PlanContext): PlanStep {
  const { name } = situation.newcomer.declared;
  return {
    id: `stop-standby/${name}`,
    phase: "base-backup",
    title: `Stop the database of ${name}, if it runs`,
    preview: [],
    on: name,
    kind: "stop-standby",
    args: { stallMs: situation.limits.stallMs },
    preconditions: noPreconditions,
  };
}

function copyStep(context: PlanContext, expectedBytes: number): PlanStep {
  const { primary, situation } = context;
  const { limits, newcomer, stagingDirectory } = situation;
  const { name, paths } = newcomer.declared;
  return {
    id: `base-backup/${name}`,
    phase: "base-backup",
    title: `Copy the data of ${primary.declared.name} to ${name}, beside what is there`,
    preview: [printBackup(context, null)],
    on: name,
    kind: "base-backup",
    args: {
      source: replicationUpstream(context, primary),
      slot: null,
      slotHolder: maintenanceUpstream(context, primary),
      stagingDirectory,
      dataDirectory: paths.dataDirectory,
      tablespaces: [],
      maxRateBytesPerSecond: null,
      expectedBytes,
      stallMs: limits.stallMs,
      systemIdentifier: context.systemIdentifier,
      besideOld: true,
    },
    preconditions: noPreconditions,
  };
}

function swapSteps(
  { primary, situation }: PlanContext,
  accepted: RebuildSituation["accepted"],
): readonly PlanStep[] {
  const { name, paths } = situation.newcomer.declared;
  const { name: node, address: host, port } = primary.declared;
  const { dataDirectory } = paths;
  return [
    {
      id: `keep-own-files/${name}`,
      phase: "files",
      title: `Give the copy ${name}'s own configuration, hba and keys, and make it a standby of ${node}`,
      preview: [`follows ${host}:${port}`],
      on: name,
      kind: "keep-own-files",
      args: {
        upstream: { node, host, port },
        accepted: accepted.flatMap(({ path, hash }) =>
          hash !== null && path.startsWith(`${dataDirectory}/`) ? [{ path, hash }] : [],
        ),
        settings: [...nodeSettings(situation)],
        hbaRules: [...rulesOfNewcomer(situation)],
      },
      preconditions: noPreconditions,
    },
    {
      id: `swap-data-directory/${name}`,
      phase: "files",
      title: `Set the old data of ${name} aside, and put the copy in its place`,
      preview: [
        `rename ${dataDirectory} → ${oldDirectoryFor(dataDirectory)}`,
        `rename ${situation.stagingDirectory} → ${dataDirectory}`,
      ],
      on: name,
      kind: "swap-data-directory",
      args: {},
      preconditions: noPreconditions,
    },
  ];
}

/** As of a node that is added; its slots are made in one step, with those that it had. */
function provenSteps(context: PlanContext): readonly PlanStep[] {
  const { name } = context.situation.newcomer.declared;
  const steps = startSteps(context).filter(({ kind }) => kind !== "create-slot");
  const verified = steps.findIndex(({ kind }) => kind === "verify-data");
  return steps.toSpliced(verified, 0, {
    id: `remake-slots/${name}`,
    phase: "start",
    title: `Make a slot for every other node on ${name}, holding nothing back`,
    preview: [],
    on: name,
    kind: "remake-slots",
    args: {},
    preconditions: { ...sameCluster(context), role: "standby" },
  });
}

function dropStep({ name, paths }: NodeDeclaration): PlanStep {
  return {
    id: `drop-old-directory/${name}`,
    phase: "proof",
    title: `Remove the old data of ${name}`,
    preview: [`rm -r ${oldDirectoryFor(paths.dataDirectory)}`],
    on: name,
    kind: "drop-old-directory",
    args: {},
    preconditions: noPreconditions,
  };
}

/** No guard starts, rewinds or attaches the node in between. */
function reservesOf(situation: RebuildSituation, subject: string): NonNullable<Plan["reserves"]> {
  const managers = managersOf(situation).map(({ declared }) => declared.name);
  return [...new Set([subject, ...managers])].map((node) => ({
    node,
    classes: [
      ...(node === subject ? (["database", "role", "disk"] as const) : []),
      ...(managers.includes(node) ? (["pool-row"] as const) : []),
    ],
  }));
}

function notesOf(context: PlanContext): readonly string[] {
  const { primary, situation } = context;
  const { name, paths, slot } = situation.newcomer.declared;
  const sessions = situation.newcomer.facts?.database.clientSessions ?? 0;
  const retained = retainedBy(context);
  return [
    `${name} answers no client from its stop until the copy streams. Client sessions on it now, which end: ${sessions}.`,
    `Its data of before is kept as ${oldDirectoryFor(paths.dataDirectory)} until the copy is proved: until then an abort brings it back.`,
    ...(retained === null ? [] : [`Slot ${slot} on ${primary.declared.name} holds ${printBytes(retained)} of WAL already, and goes on with it.`]), // prettier-ignore
    `The copy asks ${primary.declared.name} for a fast checkpoint: expect a short burst of writes there.`,
  ];
}
