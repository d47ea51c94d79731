import type { Progress } from "#shared/domain/commands.ts";
import type { OperationUpdate } from "../api/contract.ts";
import type { OperationRecord } from "../store/store.ts";

export type UpdateListener = (update: OperationUpdate) => void;

/** Tells whoever watches an operation; a newcomer gets the latest progress of every step at work. */
export class Updates {
  readonly #listeners = new Map<string, Set<UpdateListener>>();
  readonly #progress = new Map<string, Map<string, Progress>>();

  operation(operation: OperationRecord): void {
    const running = new Set(
      operation.plan.steps
        .filter((_, i) => ["started", "undoing"].includes(operation.steps[i]?.state ?? ""))
        .map((step) => step.id),
    );
    const progress = this.#progress.get(operation.id);
    for (const step of progress?.keys() ?? []) if (!running.has(step)) progress?.delete(step);
    if (progress?.size === 0) this.#progress.delete(operation.id);
    this.#tell(operation.id, { type: "operation", operation });
  }

  progress(operationId: string, stepId: string, progress: Progress): void {
    const steps = this.#progress.get(operationId) ?? new Map<string, Progress>();
    this.#progress.set(operationId, steps.set(stepId, progress));
    this.#tell(operationId, { type: "progress", stepId, progress });
  }

  watch(operation: OperationRecord, listener: UpdateListener): Disposable {
    const listeners = this.#listeners.get(operation.id) ?? new Set();
    this.#listeners.set(operation.id, listeners.add(listener));
    listener({ type: "operation", operation });
    for (const [stepId, progress] of this.#progress.get(operation.id) ?? []) {
      listener({ type: "progress", stepId, progress });
    }
    return {
      [Symbol.dispose]: () => {
        listeners.delete(listener);
        if (listeners.size === 0) this.#listeners.delete(operation.id);
      },
    };
  }

  #tell(operationId: string, update: OperationUpdate): void {
    for (const listener of this.#listeners.get(operationId) ?? []) listener(update);
  }
}
