import {
  nextState,
  terminalStates,
  transitions,
  type FailureRecord,
  type OperationEvent,
} from "#shared/domain/operation.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import { failureRecord } from "#shared/failure-record.ts";
import type { OperationRecord } from "../store/store.ts";
import { batches } from "./batches.ts";
import { followSignal, type Follower } from "./follow-signal.ts";
import { choicesOf, isPastReturn, mayBeInUse } from "./operation-end.ts";
import { createRenewedReservations } from "./renewed-reservations.ts";
import type { RunPorts } from "./run-ports.ts";
import { runUndo } from "./runner-undo.ts";
import { executeStep, type StepSignals } from "./step-execution.ts";

/**
 * Drives one operation from whatever state the journal has it in until a state that does not go on by
 * itself. It holds nothing that the journal does not: killed anywhere, a new one goes on from there.
 */
export class OperationRun implements Disposable {
  readonly #ports: RunPorts;
  readonly #id: string;
  #cancel = new AbortController();
  readonly #stopped: Follower;
  readonly #stop: AbortSignal;
  #isOver = false;
  #isHalted = false;

  constructor(ports: RunPorts, id: string, stop: AbortSignal) {
    this.#ports = ports;
    this.#id = id;
    this.#stopped = followSignal(stop);
    this.#stop = this.#stopped.controller.signal;
  }

  [Symbol.dispose](): void {
    this.#stopped[Symbol.dispose]();
  }

  /** Rejects only with the stop's reason or a defect. */
  async drive(): Promise<void> {
    const reservations = createRenewedReservations(this.#id, this.#ports.reserve);
    for (const { node, classes } of this.#record().plan.reserves ?? []) reservations.add(node, classes); // prettier-ignore
    try {
      await this.#driveToRest();
    } finally {
      reservations.end(terminalStates.has(this.#record().state));
    }
    this.#isOver = true;
  }

  async #driveToRest(): Promise<void> {
    for (;;) {
      this.#stop.throwIfAborted();
      const { state } = this.#record();
      if (state === "planned") this.#move("start");
      else if (state === "running") await this.#forward();
      else if (state === "rolling-back") await this.#back();
      else return;
    }
  }

  /** Nothing more comes of this run: whoever moves the operation on starts another one. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** To rolling-back at once; the step under way is cancelled and its end awaited before anything is undone. */
  abort(): void {
    this.#move("abort");
    this.#cancel.abort(new Failure("REFUSED", "The operation was aborted."));
  }

  /** The journal says something else of it now: nothing more is told to agents, nothing more is journaled. */
  halt(): void {
    this.#isOver = true;
    this.#isHalted = true;
    this.#stopped.controller.abort(new Failure("INTERRUPTED", "The operation was held."));
  }

  get isHalted(): boolean {
    return this.#isHalted;
  }

  async #forward(): Promise<void> {
    const { plan } = this.#record();
    for (const batch of batches(plan.steps)) {
      const { steps } = this.#record();
      const open = batch.filter((index) => steps[index]?.state !== "done");
      const failures = await this.#each(open, (index) =>
        executeStep(this.#ports, this.#id, index, "run", this.#signals()),
      );
      if (this.#record().state !== "running") return;
      const failure = failures.find((f) => f !== null);
      if (failure !== undefined) {
        const record = this.#record();
        const goesBack =
          record.onFailure === "rollback" && !mayBeInUse(record) && !isPastReturn(record);
        this.#move(goesBack ? "abort" : "step-failed", failure);
        return;
      }
    }
    const { cancel, stop } = this.#signals();
    const either = AbortSignal.any([cancel, stop]);
    const succeed = await this.#ports.settle(this.#record(), "succeeded", either);
    this.#stop.throwIfAborted();
    // Aborted meanwhile: then it has not succeeded.
    if (this.#record().state !== "running") return;
    succeed();
    crashPoint("runner:settled");
    this.#move("all-steps-done");
  }

  async #back(): Promise<void> {
    const left = await runUndo(this.#ports, this.#record(), this.#signals());
    if (left?.code === "PAST_RETURN") {
      this.#cancel = new AbortController();
      this.#move("past-return");
      return;
    }
    if (left !== null) {
      this.#move("undo-failed", left);
      return;
    }
    const end = await this.#ports.settle(this.#record(), "rolled-back", this.#stop);
    this.#stop.throwIfAborted();
    end();
    crashPoint("runner:settled-undone");
    this.#move("undone");
  }

  /** All at once; one that fails does not stop the others in their middle. */
  async #each(
    indices: readonly number[],
    work: (index: number) => Promise<FailureRecord | null>,
  ): Promise<readonly (FailureRecord | null)[]> {
    const settled = await Promise.allSettled(indices.map(work));
    this.#stop.throwIfAborted();
    // A step that could not be journaled has not failed: it is looked at again when the journal takes it.
    const unwritten = settled.find((s) => s.status === "rejected" && isJournalError(s.reason));
    if (unwritten?.status === "rejected") throw unwritten.reason;
    return settled.map((s) =>
      s.status === "fulfilled" ? s.value : failureRecord(asFailure(s.reason)),
    );
  }

  #signals(): StepSignals {
    return { cancel: this.#cancel.signal, stop: this.#stop };
  }

  #record(): OperationRecord {
    const record = this.#ports.store.operation(this.#id);
    if (record === null) throw new Failure("NOT_FOUND", `There is no operation ${this.#id}.`);
    return record;
  }

  #move(event: OperationEvent, failure?: FailureRecord): void {
    moveOperation(this.#ports, this.#record(), event, failure);
  }
}

/** Says which state it is in, from which that can be done, and what can be typed instead. */
function notNow(record: OperationRecord, event: OperationEvent): Failure {
  const from = transitions.filter((t) => t.event === event).map((t) => t.from);
  const words = [...new Set(from)].join(" or ");
  const choices = choicesOf(record).map(({ command }) => `"${command}"`);
  return new Failure(
    "OPERATION_CONFLICT",
    `${record.id} is ${record.state}; only one that is ${words} can take "${event}".`,
    {
      hint: `now it takes ${choices.join(" or ")}; what happened: castellan operation show ${record.id}`,
    },
  );
}

/**
 * Every change of an operation's state goes through here and the table of transitions.
 * @throws Failure OPERATION_CONFLICT when the table has no such transition.
 */
export function moveOperation(
  { store, clock, events, onChange }: RunPorts,
  record: OperationRecord,
  event: OperationEvent,
  failure?: FailureRecord,
): void {
  const to = nextState(record.state, event);
  if (to === null) {
    throw notNow(record, event);
  }
  // What made it fail stays to be read after the rollback; what goes on forgets it.
  const kept = event === "resume" || event === "past-return" ? null : failure;
  store.setOperationState(record.id, to, clock.now(), kept);
  crashPoint("runner:operation-moved", event);
  events.emit(
    "operation:moved",
    { operationId: record.id },
    { from: record.state, event, to, failure: failure ?? null },
  );
  onChange(record.id);
}

function isJournalError(error: unknown): boolean {
  return asFailure(error).code === "STORE_UNUSABLE";
}
