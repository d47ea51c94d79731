import { appendFileSync } from "node:fs";
import { join } from "node:path";
import type { ProductId } from "#shared/domain/cluster.ts";
import type { OperationRecord } from "#coordinator/store/store.ts";
import { addArguments } from "#test/e2e/support/operations.ts";
import { startLoad } from "#test/harness/load.ts";
import type { LoadStats } from "#test/harness/load-generator/messages.ts";
import { takeSnapshot } from "#test/harness/snapshot.ts";
import { afterCleanAdd } from "./clean-add.ts";
import { waitFor } from "#test/harness/wait-for.ts";
import { describeFault, shortFault } from "./describe.ts";
import { excusesFor } from "./excuses.ts";
import type { PlannedFault } from "./faults.ts";
import {
  canBeAdded,
  isAMember,
  isAsAfterCleanAdd,
  isAsBefore,
  rowsAreThere,
} from "./final-checks.ts";
import { mend } from "./mend.ts";
import { operate } from "./operator.ts";
import { watchForPrimaries } from "./primaries.ts";
import { followOperations } from "./progress.ts";
import { unleash, type FaultOutcome } from "./saboteur.ts";
import { drawOptions, drawSchedule, type ScheduledStep } from "./schedule.ts";
import { buildStage, createWalkLab, withDisk, type Stage } from "./stage.ts";

/** What a walk came to. */
export type WalkResult = {
  readonly seed: number;
  readonly product: ProductId;
  readonly ok: boolean;
  readonly end: "added" | "as before" | "neither";
  /** In the order of the schedule; a fault whose moment never came stands in brackets. */
  readonly faults: readonly string[];
  readonly resumes: number;
  readonly aborts: number;
  readonly sessionsLost: number;
  readonly clientErrors: number;
  readonly rowsAcknowledged: number;
  readonly seconds: number;
  readonly complaints: readonly string[];
  /** The lab's folder, when it was kept. */
  readonly folder: string | null;
};

/** One walk from a new cluster to its verdict. It never throws: what went wrong is a complaint. */
export async function runSeed(
  seed: number,
  product: ProductId | null,
  say: (line: string) => void,
): Promise<WalkResult> {
  const options = drawOptions(seed, product);
  const began = Date.now();
  const lab = await createWalkLab();
  const diary = join(lab.folder, "walk.log");
  const tell = (line: string): void => {
    const text = `${new Date().toISOString().slice(11, 23)} seed ${seed}: ${line}`;
    appendFileSync(diary, `${text}\n`);
    // What our own command printed is for the diary.
    if (!line.startsWith("  ") || line.startsWith("  exit")) say(text);
  };
  let outcome: Omit<WalkResult, "seed" | "product" | "ok" | "seconds" | "folder">;
  try {
    const stage = await buildStage(lab, options.product);
    outcome = await walk(stage, seed, product, tell);
  } catch (error) {
    const complaint = error instanceof Error ? (error.stack ?? error.message) : String(error);
    outcome = { ...nothing, complaints: [complaint] };
  }
  const ok = outcome.complaints.length === 0;
  for (const line of outcome.complaints) tell(`WRONG: ${line}`);
  if (!ok) lab.keep();
  await lab[Symbol.asyncDispose]();
  const seconds = Math.round((Date.now() - began) / 1000);
  const folder = ok ? null : lab.folder;
  return { ...outcome, seed, product: options.product, ok, seconds, folder };
}

const nothing = {
  end: "neither",
  faults: [],
  resumes: 0,
  aborts: 0,
  sessionsLost: 0,
  clientErrors: 0,
  rowsAcknowledged: 0,
} as const;

async function walk(
  built: Stage,
  seed: number,
  product: ProductId | null,
  say: (line: string) => void,
): Promise<Omit<WalkResult, "seed" | "product" | "ok" | "seconds" | "folder">> {
  const { cluster, castellan, lab } = built;
  const options = drawOptions(seed, product);
  const consent = options.product === "kingbase-v8r3" ? ["--accept-not-promotable"] : [];
  const addOptions = [...options.arguments, ...consent];
  const { faults } = drawSchedule(seed, await planned(built, addOptions));
  say(`${options.product}, node add ${addOptions.join(" ")}; when paused: ${options.whenPaused}`);
  for (const fault of faults) say(`${describeFault(fault)}`);

  const fills = faults.some(({ fault }) => fault.kind === "fill-disk");
  const stage = fills ? await withDisk(built) : built;
  const before = await takeSnapshot(cluster, castellan);
  await arm(stage, faults);
  await using load = await startLoad(cluster, lab.host("client"), {
    readers: 4,
    writers: 1,
    statementIntervalMs: 40,
    freshIntervalMs: 250,
  });
  await using progress = followOperations(castellan);
  await using primaries = watchForPrimaries(cluster);
  const scene = { stage, progress, addOptions };
  const saboteur = unleash(scene, faults, say);
  const complaints: string[] = [];
  let report: Awaited<ReturnType<typeof operate>> | null = null;
  try {
    report = await operate(scene, saboteur, options, say);
  } catch (error) {
    complaints.push(error instanceof Error ? error.message : String(error));
  }
  const outcomes = await saboteur.end();
  // From here on every complaint is about the end.
  await mend(stage, report?.end === "added" ? [0, 1, 2] : [0, 1]);

  const isExcused = excusesFor(outcomes);
  if (report?.end === "added") complaints.push(...(await isAMember(stage)));
  const stats = await load.stop();
  const nodes = ["srv127", "srv129", ...(report?.end === "added" ? ["srv159"] : [])];
  complaints.push(...(await rowsAreThere(stage, stats, nodes)));
  if (report?.end === "as before") {
    complaints.push(...(await isAsBefore(stage, before, isExcused)));
    complaints.push(...(await canBeAdded(stage, consent)));
  } else if (report?.end === "added") {
    const clean = await afterCleanAdd(options.product);
    complaints.push(...(await isAsAfterCleanAdd(stage, clean, isExcused)));
  }
  const { seen, asked } = await primaries.stop();
  complaints.push(...seen.map((line) => `a second primary: ${line}`));
  complaints.push(...clientsWereLeftAlone(stats, outcomes, progress.operation(), say));
  const { sessionsLost, clientErrors, acknowledgedCount } = stats;
  say(
    `${report?.end ?? "neither"}; ${sessionsLost} sessions lost, ${clientErrors} client errors, ${acknowledgedCount} rows acknowledged, standbys asked ${asked} times`,
  );
  return {
    end: report?.end ?? "neither",
    faults: outcomes.map(({ planned: fault, outcome }) =>
      outcome === null ? `(${shortFault(fault)})` : shortFault(fault),
    ),
    resumes: report?.resumes ?? 0,
    aborts: report?.aborts ?? 0,
    sessionsLost,
    clientErrors,
    rowsAcknowledged: acknowledgedCount,
    complaints,
  };
}

/** A cluster that was just built may need a moment until every check passes. */
async function planned(
  { cluster, castellan }: Stage,
  addOptions: readonly string[],
): Promise<readonly ScheduledStep[]> {
  const args = addArguments(cluster, ...addOptions, "--dry-run");
  const { steps } = await waitFor(
    () => castellan.json<{ readonly steps: readonly ScheduledStep[] }>(args),
    { timeoutMs: 60_000, intervalMs: 1_000, what: "a plan" },
  );
  return steps;
}

/** Starts the programs that a fault waits for at a point anew, so that they know of it. */
async function arm({ castellan, programs }: Stage, faults: readonly PlannedFault[]): Promise<void> {
  for (const { moment, fault } of faults) {
    if (moment.on !== "point") continue;
    const variable = fault.kind === "stop-at-point" ? "CASTELLAN_STOP_AT" : "CASTELLAN_CRASH_AT";
    await programs.kill(moment.program);
    await programs.start(moment.program, { [variable]: `${moment.point}@${moment.times}` });
  }
  await castellan.connected(["srv127", "srv129", "srv159"]);
}

/**
 * Castellan's own faults, and people, cut no client's session and fail no statement. What the plan says beforehand is
 * the one limit: a door is held for a second at most, and a machine on which the attach takes several is too busy to
 * tell.
 */
function clientsWereLeftAlone(
  { sessionsLost, clientErrors, errors }: LoadStats,
  outcomes: readonly FaultOutcome[],
  operation: OperationRecord | null,
  say: (line: string) => void,
): readonly string[] {
  if (outcomes.some(({ mayTouchClients }) => mayTouchClients)) return [];
  if (sessionsLost === 0 && clientErrors === 0) return [];
  const index = operation?.plan.steps.findIndex(({ kind }) => kind === "attach-pool") ?? -1;
  const { startedAt = null, endedAt = null } = operation?.steps[index] ?? {};
  const isBusy = startedAt !== null && endedAt !== null && endedAt - startedAt > busyAttachMs;
  if (isBusy && errors.every(({ atMs }) => atMs >= startedAt && atMs <= endedAt + 1_000)) {
    say(`${sessionsLost} sessions were lost while the attach took ${endedAt - startedAt} ms`);
    return [];
  }
  const last = errors.map(
    ({ atMs, client, message }) => `${new Date(atMs).toISOString()} ${client}: ${message}`,
  );
  return [
    `no fault touched a client, and yet ${sessionsLost} sessions were lost with ${clientErrors} errors: ${last.join("; ")}`,
  ];
}

const busyAttachMs = 3_000;
