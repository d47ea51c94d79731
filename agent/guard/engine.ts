import type { ChangedFile } from "#shared/domain/changed-file.ts";
import { mostChangedFiles, mostSteps, type Decision, type GuardStep, type RuleClass } from "#shared/domain/guard.ts"; // prettier-ignore
import { crashPoint, crashScope } from "#shared/crash-point.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import type { GuardDecision } from "../decide/decide.ts";
import { decisionDraft } from "../decide/decisions.ts";
import { judge, mustBeRecorded, stopsWhile, type Act } from "../decide/gate.ts";
import type { Rule } from "../decide/rules/rule.ts";
import { rules as allRules } from "../decide/rules/table.ts";
import type { GuardView } from "../decide/view.ts";
import type { Ports } from "../ports.ts";
import { tellingFiles } from "./changed-files.ts";
import { keepDecision } from "./keep-decision.ts";
import type { GuardExecutor, GuardExecutors, GuardStepContext } from "./steps/step.ts";

/**
 * Does what the table says, where the gates let it: a finding's steps one after the other, of each lane one at a time,
 * beside the looks.
 *  begun  - its decision is on disk, and told
 *  done   - every step is, and was read back
 *  failed - a step said why, the mode or a reservation came between two, or the agent ended
 * Nothing goes on from disk: after a restart the table looks anew.
 */
export type Engine = AsyncDisposable & {
  /** After each look: begins what may be, keeps what was decided of the rest. Answers when that is on disk. */
  act(decided: GuardDecision, view: GuardView, look: Look): Promise<void>;
  /** Of an open finding: what becomes of its steps; null where it has none now. */
  progressOf(rule: string): string | null;
  /** Resolves when nothing is under way that touches these. */
  atRest(classes: readonly RuleClass[]): Promise<void>;
};

type Look = {
  readonly now: number;
  /** Before the first of its facts was asked for. */
  readonly beganMs: number;
};

export type EngineOptions = {
  /** What the steps use. */
  readonly ports: Ports;
  readonly executors: Partial<GuardExecutors>;
  readonly newId: () => string;
  /** Steps have ended, whichever way: what they left is to be looked at. */
  readonly onEnded: () => void;
  readonly rules?: readonly Rule[];
  /** For how long a record of the coordinator's is waited for. */
  readonly takenWithinMs?: number;
};

/** Rules that share one can undo each other's work. */
type Lane = "vip" | "role" | "sync" | "pool" | "disk";
const laneOf: Readonly<Record<RuleClass, Lane>> = {
  vip: "vip",
  database: "role",
  role: "role",
  sync: "sync",
  pool: "pool",
  "pool-row": "pool",
  disk: "disk",
};

/** What takes a host out of harm's way waits for no disk: it may be the disk that is dead. */
const goesUnrecorded: ReadonlySet<GuardStep["do"]> = new Set(["drop-vip", "stop-database", "write-standby-marker"]); // prettier-ignore
/** An agent that stood still knows nothing of the time between; of all steps only a stop does not look again itself. */
const stopsWithinMs = 10_000;
const stopWithinMs = 3_000;
const dropWithinMs = 3_000;

type Run = { readonly rule: Rule; readonly ended: Promise<void> };

export function createEngine(options: EngineOptions): Engine {
  const { ports, newId, onEnded, rules = allRules, takenWithinMs = 10_000 } = options;
  const { clock, log, decisions, guardModes, guardMarks, reservations, settings } = ports;
  const stopping = new AbortController();
  const startedMs = clock.elapsedMs();
  const acts = actsOf(decisions.recent(), clock);
  const runs = new Map<Lane, Run>();
  /** When the last one of each lane ended: a look that began before may show what was before it. */
  const endedMs = new Map<Lane, { readonly rule: string; readonly atMs: number }>();
  /** By open finding, what was said of its steps. */
  const said = new Map<string, Set<string>>();
  const progress = new Map<string, string>();
  /** When a look showed it last. */
  const shownMs = new Map<string, number>();
  /** As the latest look saw it: steps may take longer than the vendor's checks stay away. */
  let vendorAtWork: string | null = null;

  const keep = (decision: Decision): Promise<boolean> => keepDecision(ports, decision);

  function laneBusyWith(lane: Lane, beganMs: number): string | null {
    const run = runs.get(lane);
    if (run !== undefined) return run.rule.id;
    const last = endedMs.get(lane);
    return last !== undefined && last.atMs >= beganMs ? last.rule : null;
  }

  /** Whether this was not said of this finding yet; of one from before a restart it was said then. */
  function isNews(rule: string, key: string): boolean {
    const known = said.get(rule);
    if (known === undefined) said.set(rule, new Set([key]));
    if (known === undefined || known.has(key)) return false;
    known.add(key);
    return true;
  }

  function begin(decision: Decision, rule: Rule, view: GuardView): void {
    const lane = laneOf[rule.class];
    const act: Act = { begunMs: clock.elapsedMs(), endedMs: null, hasFailed: false };
    const before = acts.get(rule.id) ?? [];
    acts.set(rule.id, [...before, act].slice(-mostActs));
    progress.set(rule.id, `under way since ${new Date(decision.at).toISOString()}`);
    const work = async (): Promise<void> => {
      crashScope("guard", rule.id);
      const end = await outcomeOf(decision, rule, view);
      const ended = { ...act, endedMs: clock.elapsedMs(), hasFailed: end.outcome !== "done" };
      acts.set(
        rule.id,
        (acts.get(rule.id) ?? []).map((one) => (one === act ? ended : one)),
      );
      const tookMs = Math.round(ended.endedMs - act.begunMs);
      log[end.outcome === "done" ? "info" : "warn"]({ rule: rule.id, tookMs, ...end }, "The guard has acted."); // prettier-ignore
      crashPoint("guard:ending", rule.id);
      await keep({ ...decision, ...end, why: `${end.why} (${tookMs} ms)`.slice(0, 1_000) });
      crashPoint("guard:ended", rule.id);
      progress.set(rule.id, `${end.outcome}: ${end.why}`);
      endedMs.set(lane, { rule: rule.id, atMs: clock.elapsedMs() });
      runs.delete(lane);
      onEnded();
    };
    // In place before anything of it can end.
    runs.set(lane, { rule, ended: Promise.resolve().then(work) });
  }

  /** Never rejects. */
  async function outcomeOf(
    decision: Decision,
    rule: Rule,
    view: GuardView,
  ): Promise<Pick<Decision, "outcome" | "files"> & { readonly why: string }> {
    const { signal } = stopping;
    const seen: string[] = [];
    const files: ChangedFile[] = [];
    const edited = () => (files.length === 0 ? {} : { files: files.slice(-mostChangedFiles) });
    try {
      await recordBegun(decision, view);
      crashPoint("guard:begun", rule.id);
      for (const step of decision.steps) {
        signal.throwIfAborted();
        const mode = guardModes.current();
        const stop = stopsWhile({ mode, rule, vendorAtWork, reservations: reservations.current() });
        if (stop !== null) throw new Failure("INTERRUPTED", stop);
        if (step.do === "stop-database") assertSeenNow(rule);
        const mark: GuardStepContext["mark"] = (marks) => guardMarks.mark(marks);
        const told = tellingFiles(ports.files, (file) => files.push(file));
        const context = { ...ports, files: told, view, decisionId: decision.id, signal, mark }; // prettier-ignore
        const done = executorOf(options.executors, step)(step, context);
        const isFirstOfMore = step.do === "drop-vip" && decision.steps.length > 1;
        // A row of its own goes on with it, and what has to stop must not run on because of it.
        seen.push(await (isFirstOfMore ? Promise.race([done.catch(failureText), late()]) : done));
        crashPoint("guard:step-done", step.do);
      }
      return { outcome: "done", why: seen.join("; "), ...edited() };
    } catch (error) {
      if (error instanceof Unrecorded) return { outcome: "held", why: error.message };
      const failure = signal.aborted ? new Failure("INTERRUPTED", "the agent was stopped meanwhile") : asFailure(error); // prettier-ignore
      if (failure.code === "INTERNAL") log.error({ error, rule: rule.id }, "A step of the guard met what it did not expect."); // prettier-ignore
      const at = decision.steps[seen.length]?.do;
      return { outcome: "failed", why: `${at === undefined ? "" : `${at}: `}${failure.message}`, ...edited() }; // prettier-ignore
    }
  }

  /** What has to stop must not run on because a helper hangs. */
  async function late(): Promise<string> {
    await clock.sleep(dropWithinMs);
    return `drop-vip: not within ${dropWithinMs} ms`;
  }

  function assertSeenNow(rule: Rule): void {
    const agoMs = clock.elapsedMs() - (shownMs.get(rule.id) ?? Number.NEGATIVE_INFINITY);
    if (agoMs <= stopsWithinMs) return;
    throw new Failure("INTERRUPTED", `it was seen ${Math.round(agoMs / 1_000)} s ago, and has to be seen again first`); // prettier-ignore
  }

  async function recordBegun(decision: Decision, view: GuardView): Promise<void> {
    const isKept = await keep(decision);
    if (!isKept && !decision.steps.every((step) => goesUnrecorded.has(step.do))) {
      throw new Failure("RESOURCE_MISSING", "the decision could not be kept on disk, so nothing was done"); // prettier-ignore
    }
    if (!mustBeRecorded(decision.steps, view)) return;
    const limit = AbortSignal.any([stopping.signal, AbortSignal.timeout(takenWithinMs)]);
    await decisions.taken(decision.id, limit).catch(() => {
      throw new Unrecorded("the coordinator has not recorded who may not be promoted");
    });
  }

  return {
    act: async (decided, view, { now, beganMs }) => {
      const { memory, rules: states } = decided.state;
      const mode = guardModes.current();
      ({ vendorAtWork } = view);
      const kept: Promise<unknown>[] = [];
      const made = (
        decision: Parameters<typeof decisionDraft>[2],
        rule: Rule,
        evidence: string,
      ): Decision => ({
        // prettier-ignore
        id: newId(),
        at: now,
        node: settings.node,
        ...decisionDraft({ rule: rule.id, evidence }, rule, decision, decided, view),
      });
      for (const { rule } of decided.opened) {
        said.set(rule, new Set());
        progress.delete(rule);
      }
      for (const finding of decided.findings) {
        const rule = rules.find(({ id }) => id === finding.rule);
        if (rule === undefined) continue;
        const lane = laneOf[rule.class];
        // One that this very look does not show is on its way out.
        const isSeen = states[rule.id]?.against === 0;
        if (isSeen) shownMs.set(rule.id, view.elapsedMs);
        if (runs.get(lane)?.rule === rule) continue;
        const steps = isSeen ? (rule.steps?.(view, memory) ?? []).slice(0, mostSteps) : [];
        if (steps.length === 0) {
          progress.delete(rule.id);
          if (decided.opened.includes(finding)) {
            kept.push(keep(made({ steps, outcome: "would", why: null }, rule, finding.evidence)));
          }
          continue;
        }
        const verdict = judge({
          rule,
          steps,
          view,
          memory,
          mode,
          now,
          elapsedMs: clock.elapsedMs(),
          runsForMs: clock.elapsedMs() - startedMs,
          reservations: reservations.current(),
          acts: acts.get(rule.id) ?? [],
          laneBusyWith: laneBusyWith(lane, beganMs),
        });
        if (verdict.act) {
          const witness = rule.witness?.(view, memory) ?? null;
          const evidence = witness === null ? finding.evidence : `${finding.evidence}; ${witness}`;
          begin(made({ steps, outcome: "begun", why: null }, rule, evidence), rule, view);
          continue;
        }
        const { gate, outcome, why, isPassing } = verdict;
        if (gate === "observe") progress.delete(rule.id);
        else progress.set(rule.id, `waits: ${why}`);
        const key = `${gate} ${steps.map((step) => step.do).join(" ")}`;
        if (isPassing || !isNews(rule.id, key)) continue;
        const decision = { steps, outcome, why: outcome === "would" ? null : why };
        kept.push(keep(made(decision, rule, finding.evidence)));
      }
      await Promise.all(kept);
    },
    progressOf: (rule) => progress.get(rule) ?? null,
    atRest: async (classes) => {
      for (const each of classes) await runs.get(laneOf[each])?.ended;
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      const all = Promise.all([...runs.values()].map(({ ended }) => ended));
      await Promise.race([all, clock.sleep(stopWithinMs)]);
    },
  };
}

/** Far more than any limit of them within its time. */
const mostActs = 200;

function failureText(error: unknown): string {
  return `drop-vip: ${asFailure(error).message}`;
}

class Unrecorded extends Error {}

/** What a former start of this agent has begun counts on, by its age. */
function actsOf(
  recent: readonly Decision[],
  clock: Pick<Ports["clock"], "now" | "elapsedMs">,
): Map<string, readonly Act[]> {
  const acts = new Map<string, readonly Act[]>();
  for (const { rule, at, outcome } of recent) {
    if (outcome !== "done" && outcome !== "failed") continue;
    const begunMs = clock.elapsedMs() - Math.max(0, clock.now() - at);
    const act = { begunMs, endedMs: begunMs, hasFailed: outcome === "failed" };
    acts.set(rule, [...(acts.get(rule) ?? []), act]);
  }
  return acts;
}

function executorOf(
  executors: Partial<GuardExecutors>,
  step: GuardStep,
): (step: GuardStep, context: GuardStepContext) => Promise<string> {
  // Step and executor belong together by its name: TypeScript can't follow that link.
  const executor = executors[step.do] as GuardExecutor<GuardStep["do"]> | undefined;
  if (executor === undefined) throw new Failure("REFUSED", `this agent can't do ${step.do}`);
  return executor;
}
