import { crashPoint } from "#shared/crash-point.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import { backoffMs } from "#shared/time.ts";
import type { OperationRecord } from "../store/store.ts";
import { operationConflict } from "./conflict.ts";
import { moveOperation, OperationRun } from "./operation-run.ts";
import { isPastReturn, mayBeInUse } from "./operation-end.ts";
import type { RunPorts } from "./run-ports.ts";
import type { StartOperation } from "./start-operation.ts";
import { Updates, type UpdateListener } from "./updates.ts";

export type RunnerPorts = Omit<RunPorts, "onChange" | "onProgress"> & {
  /** An operation has reached a state that does not go on by itself. */
  readonly onRest: (operation: OperationRecord) => void;
  /** `op-` and random letters. */
  readonly newOperationId: () => string;
};

/** Starts, resumes and aborts operations; one run at a time for each. */
export class Runner implements AsyncDisposable {
  readonly #ports: RunPorts;
  readonly #onRest: RunnerPorts["onRest"];
  readonly #newId: () => string;
  readonly #updates = new Updates();
  readonly #runs = new Map<string, { readonly run: OperationRun; readonly ended: Promise<void> }>();
  readonly #stop = new AbortController();
  readonly #troubles = new Map<string, string>();

  constructor({ onRest, newOperationId, ...ports }: RunnerPorts) {
    this.#onRest = onRest;
    this.#newId = newOperationId;
    this.#ports = {
      ...ports,
      onChange: (id) => {
        // The journal takes what it is told again.
        this.#troubles.delete(id);
        this.#updates.operation(this.#existing(id));
      },
      onProgress: (id, step, progress) => this.#updates.progress(id, step, progress),
    };
  }

  /**
   * Journals the operation with its plan and begins.
   * @throws Failure OPERATION_CONFLICT naming who holds the cluster.
   */
  readonly start: StartOperation = ({ plan, onFailure, under, ...asked }) => {
    const header = { ...asked, id: this.#newId(), requestedAt: this.#ports.clock.now() };
    const created = this.#ports.store.createOperation(header, plan, {
      onFailure,
      ...(under === undefined ? {} : { under }),
    });
    if ("heldBy" in created) throw operationConflict(header.cluster, created.heldBy);
    crashPoint("runner:operation-created");
    this.#ports.events.emit(
      "operation:created",
      { operationId: header.id },
      { kind: header.kind, subject: header.subject, by: header.requestedBy },
    );
    this.#drive(header.id);
    return created;
  };

  /** After a start of the coordinator: everything that was under way goes on. */
  resumeAll(): void {
    for (const { id, state } of this.#ports.store.operations({ unfinished: true })) {
      if (["planned", "running", "rolling-back"].includes(state)) this.#drive(id);
    }
  }

  /** A paused operation goes on from its first unfinished step. */
  resume(id: string): OperationRecord {
    moveOperation(this.#ports, this.#existing(id), "resume");
    this.#drive(id);
    return this.#existing(id);
  }

  /**
   * This journal is older than the world: everything that is under way waits for a person, from this instant on.
   */
  holdAll(because: string): void {
    const held = this.#ports.store.holdOperations({
      message: because,
      now: this.#ports.clock.now(),
    });
    for (const id of held) {
      this.#runs.get(id)?.run.halt();
      this.#runs.delete(id);
      this.#ports.onChange(id);
    }
  }

  /**
   * Stops it and takes back what it made; from needs-attention the taking back is tried again. One whose journal was
   * restored may have succeeded in the world that its journal has missed: taking it back must be meant. Asked for a
   * second time while it is under way, it is the same one.
   */
  abort(id: string, options: { readonly afterRestore?: boolean } = {}): OperationRecord {
    if (this.#existing(id).state === "rolling-back") return this.#existing(id);
    assertMayReturn(this.#existing(id));
    if (options.afterRestore !== true) assertNotInUse(this.#existing(id));
    const current = this.#runs.get(id);
    if (current === undefined || current.run.isOver) {
      moveOperation(this.#ports, this.#existing(id), "abort");
      this.#drive(id);
    } else {
      current.run.abort();
    }
    return this.#existing(id);
  }

  /**
   * Ends an operation of which something is left that nobody can take back, and frees its cluster. What is left
   * stays in its record. @throws Failure OPERATION_CONFLICT in any state but needs-attention, or paused since a restore or past its step of no return.
   */
  leave(id: string): OperationRecord {
    const operation = this.#existing(id);
    if (operation.state === "paused" && !mayBeInUse(operation) && !isPastReturn(operation)) {
      throw new Failure(
        "OPERATION_CONFLICT",
        `${id} is paused: what it made can still be taken back.`,
        {
          hint: `castellan operation abort ${id}`,
        },
      );
    }
    moveOperation(this.#ports, operation, "leave");
    this.#onRest(this.#existing(id));
    return this.#existing(id);
  }

  /** Why an operation stands still that nothing of its own has failed: known here alone, the journal can't hold it. */
  troubleOf(id: string): string | null {
    return this.#troubles.get(id) ?? null;
  }

  /** @throws Failure NOT_FOUND */
  watch(id: string, listener: UpdateListener): Disposable {
    return this.#updates.watch(this.#existing(id), listener);
  }

  /** Nothing is journaled any more; agents work on, and the next coordinator goes on from the journal. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error("the coordinator is stopping"));
    await Promise.allSettled([...this.#runs.values()].map(({ ended }) => ended));
  }

  #drive(id: string): void {
    const former = this.#runs.get(id)?.ended ?? Promise.resolve();
    const run = new OperationRun(this.#ports, id, this.#stop.signal);
    const ended = former
      .then(() => this.#driveToRest(id, run))
      .finally(() => run[Symbol.dispose]());
    this.#runs.set(id, { run, ended });
  }

  /** A defect or an unusable journal (disk full) does not end a run: it is taken up again, ever more slowly. */
  async #driveToRest(id: string, run: OperationRun): Promise<void> {
    const { clock, log, random } = this.#ports;
    for (let failures = 0; !this.#stop.signal.aborted && !run.isHalted; failures += 1) {
      try {
        await run.drive();
        if (this.#runs.get(id)?.run === run) this.#runs.delete(id);
        this.#onRest(this.#existing(id));
        return;
      } catch (error) {
        if (this.#stop.signal.aborted || run.isHalted) return;
        const delayMs = backoffMs({ firstMs: 1_000, mostMs: 60_000 }, failures, random());
        log.error(
          { operation: id, err: error },
          `the runner itself failed; it goes on from the journal in ${delayMs} ms`,
        );
        try {
          this.#tellTrouble(id, error);
        } catch {
          // The journal can't be read either: whoever asks for the status is told.
        }
        await clock.sleep(delayMs, this.#stop.signal).catch(() => undefined); // ends the loop above
      }
    }
  }

  #tellTrouble(id: string, error: unknown): void {
    const { code, message } = asFailure(error);
    const because =
      code === "STORE_UNUSABLE"
        ? `its journal can't be written (${message}). Look at the disk of the coordinator's state directory`
        : `the coordinator met a defect in Castellan itself (${message}). Please report it, with the coordinator's log`;
    const trouble = `operation ${id} stands still, and goes on by itself: ${because}; what it sent to agents before goes on.`;
    this.#troubles.set(id, trouble);
    const { plan, steps } = this.#existing(id);
    const step = plan.steps[steps.findIndex(({ state }) => state !== "done" && state !== "undone")];
    if (step === undefined) return;
    const noFigures = { doneBytes: null, totalBytes: null, bytesPerSecond: null };
    this.#updates.progress(id, step.id, { ...noFigures, note: trouble.slice(0, 400) });
  }

  #existing(id: string): OperationRecord {
    const operation = this.#ports.store.operation(id);
    if (operation === null) {
      throw new Failure("NOT_FOUND", `There is no operation ${id}.`, {
        hint: "castellan operation list",
      });
    }
    return operation;
  }
}

function assertMayReturn(operation: OperationRecord): void {
  if (!["planned", "running", "paused"].includes(operation.state)) return;
  if (!isPastReturn(operation)) return;
  const { id, plan } = operation;
  const title = plan.steps.find((step) => step.id === plan.noReturn)?.title ?? "";
  throw new Failure("OPERATION_CONFLICT", `${id} can't be taken back any more: "${title}" is done.`, {
    hint: operation.state === "paused" ? `castellan operation resume ${id} goes on; castellan operation abort ${id} --leave ends it as it is` : `it goes on: castellan operation watch ${id}`,
  }); // prettier-ignore
}

function assertNotInUse(operation: OperationRecord): void {
  if (!mayBeInUse(operation)) return;
  const { id, subject, cluster } = operation;
  throw new Failure(
    "OPERATION_CONFLICT",
    `The journal of ${id} was restored: whether ${subject} became a node of ${cluster} since is not known here.`,
    {
      hint: `look first (castellan status). If ${subject} is in use: castellan operation abort ${id} --leave. To take everything back that it made, its database included: castellan operation abort ${id} --after-restore`,
    },
  );
}
