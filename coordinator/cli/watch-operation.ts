import { failures } from "#shared/errors.ts";
import type { Progress } from "#shared/domain/commands.ts";
import type { OperationState } from "#shared/domain/operation.ts";
import type { OperationUpdate } from "../api/contract.ts";
import type { OperationRecord } from "../store/store.ts";
import type { CliContext } from "./context.ts";
import { followOperation } from "./follow-operation.ts";
import { renderOperationTree, renderProgress } from "./render/operation-tree.ts";
import { operationEnd } from "../operations/operation-end.ts";
import { renderEnd } from "./render/operation-end.ts";

/** What is said at the end, beside how the operation stands. */
export type OperationEpilogue = {
  /** Beside the operation's own. */
  readonly json: Readonly<Record<string, unknown>>;
  readonly lines: readonly string[];
  /** Where the operation went through. */
  readonly exitCode: number;
};

/**
 * Looks on until the operation ends or pauses: a live tree on a terminal, a line a change in a pipe.
 * Ctrl-C stops looking, not the operation. Sets the exit status from the state that was reached.
 */
export async function watchOperation(
  context: CliContext,
  id: string,
  json: boolean | undefined,
  epilogue: () => Promise<OperationEpilogue> = nothingMore,
): Promise<void> {
  const view =
    json === true
      ? quietView()
      : context.terminal.isInteractive
        ? liveView(context)
        : lineView(context);
  let operation: OperationRecord | null = null;
  for await (const update of followOperation(context, id)) {
    if (update.type === "operation") operation = update.operation;
    view.update(update);
  }
  view.end();
  if (operation === null) return;
  if (context.interrupted.aborted) {
    context.terminal.printError([
      `The operation goes on without this terminal. To attach again: castellan operation watch ${id}`,
    ]);
    context.setExitCode(130);
    return;
  }
  const more = await epilogue();
  if (json === true) {
    context.terminal.print([JSON.stringify({ ...operation, ...more.json }, null, 2)]);
  } else context.terminal.print([...renderEnd(id, operationEnd(operation)), ...more.lines]);
  context.setExitCode(
    operation.state === "succeeded" ? more.exitCode : exitCodeOf(operation.state),
  );
}

const nothingMore = (): Promise<OperationEpilogue> =>
  Promise.resolve({ json: {}, lines: [], exitCode: 0 });

function exitCodeOf(state: OperationState): number {
  switch (state) {
    case "succeeded":
    case "planned":
    case "running":
    case "rolling-back":
      return 0;
    case "paused":
      return failures.OPERATION_PAUSED.exitCode;
    case "rolled-back":
    case "cancelled":
      return failures.OPERATION_ROLLED_BACK.exitCode;
    case "needs-attention":
      return failures.OPERATION_NEEDS_ATTENTION.exitCode;
  }
}

type View = { update(update: OperationUpdate): void; end(): void };

function quietView(): View {
  return { update: () => undefined, end: () => undefined };
}

function liveView({ terminal, now }: CliContext): View {
  const progress = new Map<string, Progress>();
  let operation: OperationRecord | null = null;
  const draw = () => {
    if (operation !== null) terminal.draw(renderOperationTree(operation, progress, now()));
  };
  const timer = setInterval(draw, 200);
  return {
    update(update) {
      if (update.type === "operation") operation = update.operation;
      else progress.set(update.stepId, update.progress);
      draw();
    },
    end() {
      clearInterval(timer);
      draw();
      terminal.drawDone();
    },
  };
}

/** One line whenever a step changed its state, and progress at most every two seconds. */
function lineView({ terminal, now }: CliContext): View {
  const states = new Map<string, string>();
  let lastProgressAt = 0;
  let lastState = "";
  return {
    update(update) {
      if (update.type === "progress") {
        if (now() - lastProgressAt < 2_000) return;
        lastProgressAt = now();
        terminal.print([`  ... ${update.stepId}: ${renderProgress(update.progress)}`]);
        return;
      }
      const { operation } = update;
      for (const [index, step] of operation.plan.steps.entries()) {
        const record = operation.steps[index];
        if (record === undefined || record.state === "pending") continue;
        const state = `${record.state} (attempt ${record.attempt})`;
        if (states.get(step.id) === state) continue;
        states.set(step.id, state);
        terminal.print([`${record.state.padEnd(11)} ${step.title}`]);
        if (record.failure !== null) terminal.print([`            ${record.failure.message}`]);
      }
      if (operation.state !== lastState) {
        lastState = operation.state;
        terminal.print([`operation ${operation.id} is ${operation.state}`]);
      }
    },
    end: () => undefined,
  };
}
