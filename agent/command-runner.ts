import type { CommandEnvelope, Progress } from "#shared/domain/commands.ts";
import { commands } from "#shared/domain/commands.ts";
import type { RuleClass } from "#shared/domain/guard.ts";
import { reservedClasses } from "#shared/domain/reserved-classes.ts";
import { crashPoint, crashScope } from "#shared/crash-point.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import { failureRecord } from "#shared/failure-record.ts";
import { admissionRefusal } from "./admission.ts";
import type { CommandsOnDisk, EndedCommand } from "./commands-on-disk.ts";
import { createEndedCommands } from "./ended-commands.ts";
import { executeCommand } from "./execute-command.ts";
import type { Ports, StepContext } from "./ports.ts";
import type { Executors } from "./steps/step.ts";
import { createStillWanted, Stale, triedAgain } from "./still-wanted.ts";
import type { Wakefulness } from "./wakefulness.ts";

type RunnerListener = {
  readonly onAccepted: (commandId: string) => void;
  readonly onProgress: (commandId: string, progress: Progress) => void;
  /** Also for what was refused; sent until acknowledged. */
  readonly onEnded: (ended: EndedCommand) => void;
};

export type CommandRunnerOptions = {
  readonly ports: Ports;
  readonly executors: Partial<Executors>;
  readonly disk: CommandsOnDisk;
  readonly listener: RunnerListener;
  readonly wakefulness: Pick<Wakefulness, "sleptMs">;
  /** Resolves when the guard is at nothing that touches these. */
  readonly guardAtRest: (classes: readonly RuleClass[]) => Promise<void>;
};

/**
 * Commands from the coordinator, each at most once in effect:
 *  received - on disk; accepted; waiting for its turn (a change), or begun at once (a read, the door)
 *  running  - check, apply, verify or undo; a cancel or a stop aborts its signal
 *  ended    - result on disk; sent until acknowledged; kept to answer the same id again
 * Nothing is ever run from disk: what a restart finds unfinished ends as `interrupted`.
 */
export type CommandRunner = {
  receive(command: CommandEnvelope): Promise<void>;
  cancel(commandId: string, epoch: number): void;
  acknowledge(commandId: string): Promise<void>;
  unacknowledged(): readonly EndedCommand[];
  highestEpoch(): number;
  /** The coordinator's own epoch, from its welcome. Answers false when it is older than one seen before. */
  meetEpoch(epoch: number): Promise<boolean>;
  /** Takes no more, aborts what runs, waits a moment for it to hand itself back. */
  stop(graceMs: number): Promise<void>;
};

type Running = {
  readonly abort: AbortController;
  readonly operationId: string | null;
  /** Of the newest coordinator that asked for it. */
  epoch: number;
  ended: Promise<void>;
};

/** They must act at an exact moment, or at once: waiting behind a base backup would make them useless. */
const neverWaits: ReadonlySet<string> = new Set([
  "confirm-primary",
  "hold-door",
  "release-door",
  "set-guard-mode",
  "set-maintenance",
]);
const progressEveryMs = 250;

export async function createCommandRunner(options: CommandRunnerOptions): Promise<CommandRunner> {
  const { ports, executors, disk, listener, wakefulness, guardAtRest } = options;
  const { clock, log } = ports;
  const running = new Map<string, Running>();
  const ends = createEndedCommands(disk, ports);
  /** Refusals are not stored: the same id may come again from a coordinator that is in order. */
  const refusals = new Map<string, EndedCommand>();
  let lastChange: Promise<void> = Promise.resolve();
  let lastReceive: Promise<void> = Promise.resolve();
  let isStopping = false;

  for (const { command } of disk.unfinished()) {
    const failure = new Failure("INTERRUPTED", `the agent was restarted during ${command.kind}`, {
      hint: triedAgain,
      retryable: true,
    });
    log.info({ command: command.id, kind: command.kind }, "Found unfinished after a restart.");
    await ends.store(endedBy(command.id, "interrupted", failure));
  }

  /** One at a time: the same id twice in a moment must not pass the look at the disk twice. */
  const receive = (command: CommandEnvelope): Promise<void> => {
    const received = lastReceive.then(() => take(command));
    lastReceive = received.catch(() => undefined);
    return received;
  };

  const take = async (command: CommandEnvelope): Promise<void> => {
    crashScope(`receive-${command.phase}`, command.kind);
    const known = disk.get(command.id);
    if (known !== null) {
      const ended = known.ended ?? ends.unstored(command.id);
      if (ended === null) adopt(command);
      else listener.onEnded(ended);
      return;
    }
    if (isStopping) return; // it is sent again to the next start
    const refusal = admissionRefusal(command, {
      highestEpoch: disk.highestEpoch(),
      allowedVerbs: ports.settings.allow.verbs,
      now: clock.now(),
    });
    if (refusal !== null) {
      refuse(command, refusal);
      return;
    }
    if (running.size >= mostRunning) {
      const message = `${running.size} commands run or wait on this host; no more is taken`;
      refuse(command, new Failure("REFUSED", message, { retryable: true }));
      return;
    }
    try {
      await disk.raiseEpoch(command.epoch);
      await disk.received(command, clock.now());
      await ends.storeLate();
    } catch (error) {
      // What a restart could not know of is not begun.
      refuse(command, asFailure(error));
      return;
    }
    const { kind, phase } = command;
    if (phase === "undo") endOrphansOf(command);
    crashPoint("agent:received", kind, phase);
    refusals.delete(command.id);
    listener.onAccepted(command.id);
    const waits = commands[kind].effect !== "read" && !neverWaits.has(kind);
    const abort = new AbortController();
    const before = waits ? lastChange : Promise.resolve();
    const { operationId, epoch } = command;
    const state: Running = { abort, operationId, epoch, ended: Promise.resolve() };
    running.set(command.id, state);
    state.ended = before.then(() => run(command, state));
    if (waits) lastChange = state.ended;
  };

  /**
   * A coordinator whose journal was restored takes back under new ids what it does not know to be running. One that
   * knows ends it before, and has taken it over by then.
   */
  const endOrphansOf = ({ operationId, epoch }: CommandEnvelope): void => {
    if (operationId === null) return;
    for (const state of running.values()) {
      if (state.operationId !== operationId || state.epoch >= epoch) continue;
      state.abort.abort(new Failure("INTERRUPTED", "a newer coordinator takes the operation back"));
    }
  };

  /** Sent again while it waits or runs: by a newer coordinator, it is that one's from now on. */
  const adopt = ({ id, epoch }: CommandEnvelope): void => {
    const state = running.get(id);
    if (state !== undefined) state.epoch = Math.max(state.epoch, epoch);
    listener.onAccepted(id);
  };

  const refuse = (command: CommandEnvelope, refusal: Failure): void => {
    const ended = endedBy(command.id, "refused", refusal);
    log.warn({ command: command.id, reason: refusal.message }, "Refused a command.");
    if (refusals.size >= mostRefusals) refusals.delete(refusals.keys().next().value ?? "");
    refusals.set(command.id, ended);
    listener.onEnded(ended);
  };

  /** Never rejects. */
  const run = async (command: CommandEnvelope, state: Running): Promise<void> => {
    const startedAt = clock.elapsedMs();
    const { kind, phase } = command;
    crashScope(phase, kind);
    const ended = await outcomeOf(command, state);
    crashPoint("agent:ending", kind, phase);
    await ends.store(ended);
    crashPoint("agent:ended", kind, phase);
    running.delete(command.id);
    log.info(
      {
        command: command.id,
        kind,
        phase,
        outcome: ended.outcome,
        failure: ended.failure?.message,
        durationMs: Math.round(clock.elapsedMs() - startedAt),
      },
      "A command ended.",
    );
    try {
      listener.onEnded(ended);
    } catch (error) {
      log.error({ command: command.id, err: error }, "The end of a command could not be told.");
    }
  };

  const outcomeOf = async (command: CommandEnvelope, state: Running): Promise<EndedCommand> => {
    const id = command.id;
    const { signal } = state.abort;
    const { kind, operationId } = command;
    const touched = commands[kind].effect === "change" ? reservedClasses[kind] : [];
    using _held = ports.reservations.hold(`${kind} of ${operationId ?? "nobody"}`, touched);
    if (!neverWaits.has(kind)) await guardAtRest(touched);
    const isStillWanted = createStillWanted(command, {
      ports,
      disk,
      wakefulness,
      epoch: () => state.epoch,
    });
    const assertWanted = async (): Promise<void> => {
      await isStillWanted();
      signal.throwIfAborted();
    };
    try {
      signal.throwIfAborted();
      await assertWanted();
      const context = contextOf(command, signal);
      const result = await executeCommand(executors, command, context, assertWanted);
      return { commandId: id, outcome: "done", result, failure: null };
    } catch (error) {
      if (error instanceof Stale) return endedBy(id, error.outcome, error.failure);
      if (isStopping && signal.aborted) {
        return endedBy(id, "interrupted", asFailure(signal.reason));
      }
      const failure = asFailure(error);
      if (failure.code === "INTERNAL") {
        log.error(
          { command: id, kind: command.kind, err: error },
          "A step met what it did not expect.",
        );
      }
      return endedBy(id, "failed", failure);
    }
  };

  const contextOf = (command: CommandEnvelope, signal: AbortSignal): StepContext => {
    let lastSentAt = Number.NEGATIVE_INFINITY;
    return {
      ...ports,
      log: ports.log.child({ operation: command.operationId, step: command.stepId }),
      operationId: command.operationId ?? "",
      stepId: command.stepId,
      signal,
      progress: (progress) => {
        const now = clock.elapsedMs();
        if (now - lastSentAt < progressEveryMs) return;
        lastSentAt = now;
        listener.onProgress(command.id, { ...progress, note: progress.note.slice(0, 400) });
      },
    };
  };

  return {
    receive,
    cancel: (commandId, epoch) => {
      if (epoch < disk.highestEpoch()) {
        log.warn({ command: commandId, epoch }, "Ignored a cancel from an older coordinator.");
        return;
      }
      const reason = new Failure("INTERRUPTED", "cancelled by the coordinator");
      running.get(commandId)?.abort.abort(reason);
    },
    acknowledge: async (commandId) => {
      refusals.delete(commandId);
      await ends.acknowledge(commandId);
    },
    unacknowledged: () => [...ends.unacknowledged(), ...refusals.values()],
    highestEpoch: () => disk.highestEpoch(),
    meetEpoch: async (epoch) => {
      const isCurrent = epoch >= disk.highestEpoch();
      await disk.raiseEpoch(epoch);
      return isCurrent;
    },
    stop: async (graceMs) => {
      isStopping = true;
      const reason = new Failure("INTERRUPTED", "the agent was stopped", { retryable: true });
      for (const { abort } of running.values()) abort.abort(reason);
      const all = Promise.all([...running.values()].map(({ ended }) => ended));
      await Promise.race([all, clock.sleep(graceMs)]);
    },
  };
}

const mostRefusals = 200;
/** Far more than an operation and a few looks at a node ever need at once. */
const mostRunning = 64;

function endedBy(
  commandId: string,
  outcome: "failed" | "refused" | "interrupted",
  failure: Failure,
): EndedCommand {
  return { commandId, outcome, result: null, failure: failureRecord(failure) };
}
