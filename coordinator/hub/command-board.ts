import {
  commands,
  Evidence,
  type CommandEnvelope,
  type Progress,
} from "#shared/domain/commands.ts";
import type { FailureRecord } from "#shared/domain/operation.ts";
import { Failure } from "#shared/errors.ts";
import type { AgentMessage, CoordinatorMessage } from "#shared/protocol/messages.ts";

export type CommandRequest = Omit<CommandEnvelope, "epoch" | "expiresAt">;

export type CommandOutcome =
  | { readonly outcome: "done"; readonly result: unknown }
  | {
      /** unseen: nobody waits for it any longer; the agent may still be at work, or may have done it. */
      readonly outcome: "failed" | "refused" | "interrupted" | "unseen";
      readonly failure: FailureRecord;
    };

export type Dispatch = {
  /** Rejects only when it was abandoned. */
  readonly ended: Promise<CommandOutcome>;
  /** Asks the agent to stop working on it; the end is still awaited. */
  cancel(): void;
  /** Stops waiting. The agent may still be at work. */
  abandon(reason: Error): void;
};

export type DispatchOptions = {
  /** Must not begin any more: only what became of an earlier sending is wanted, and its end. */
  readonly cancelled?: boolean;
};

type Ended = Extract<AgentMessage, { type: "command-ended" }>;
type Send = (message: CoordinatorMessage) => void;

type Pending = {
  readonly node: string;
  readonly request: CommandRequest;
  readonly onProgress: (progress: Progress) => void;
  readonly resolve: (outcome: CommandOutcome) => void;
  readonly reject: (reason: Error) => void;
  cancelled: boolean;
};

export type CommandBoardOptions = {
  readonly epoch: number;
  /** The open link of a node, if there is one. */
  readonly sendTo: (node: string) => Send | null;
  /** The latest moment, on that node's clock, at which a command sent now may be begun. */
  readonly expiryFor: (node: string) => number;
  readonly onDone: (node: string, request: CommandRequest, result: unknown) => void;
};

/**
 * Commands that were asked for and have not ended. Each is sent at once and again after every
 * reconnect of its agent; the agent answers a repeated id with the ongoing or stored result.
 */
export class CommandBoard {
  readonly #options: CommandBoardOptions;
  readonly #pending = new Map<string, Pending>();

  constructor(options: CommandBoardOptions) {
    this.#options = options;
  }

  dispatch(
    node: string,
    request: CommandRequest,
    onProgress: (progress: Progress) => void = () => undefined,
    { cancelled = false }: DispatchOptions = {},
  ): Dispatch {
    if (this.#pending.has(request.id)) {
      throw new Failure("INTERNAL", `Command ${request.id} is already being waited for.`);
    }
    const ended = new Promise<CommandOutcome>((resolve, reject) => {
      this.#pending.set(request.id, {
        node,
        request,
        onProgress,
        resolve,
        reject,
        cancelled,
      });
    });
    this.#send(request.id);
    if (cancelled) this.#cancel(request.id);
    return {
      ended,
      cancel: () => this.#cancel(request.id),
      abandon: (reason) => {
        const pending = this.#pending.get(request.id);
        this.#pending.delete(request.id);
        pending?.reject(reason);
      },
    };
  }

  /** The agent is back: everything that it has not ended is sent again, with the current epoch. */
  resendTo(node: string): void {
    for (const pending of this.#pending.values()) {
      if (pending.node !== node) continue;
      this.#send(pending.request.id);
      if (pending.cancelled) this.#sendCancel(pending);
    }
  }

  progress(node: string, commandId: string, progress: Progress): void {
    const pending = this.#pending.get(commandId);
    if (pending?.node === node) pending.onProgress(progress);
  }

  /** Answers whether somebody waited for it. */
  ended(node: string, message: Ended): boolean {
    const pending = this.#pending.get(message.commandId);
    if (pending?.node !== node) return false;
    const outcome = judgeEnd(message, pending.request);
    // While it is waited for: what can't be recorded throws, and is told again.
    if (outcome.outcome === "done") this.#options.onDone(node, pending.request, outcome.result);
    this.#pending.delete(message.commandId);
    pending.resolve(outcome);
    return true;
  }

  #cancel(id: string): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    pending.cancelled = true;
    this.#sendCancel(pending);
  }

  #send(id: string): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    const send = this.#options.sendTo(pending.node);
    // A cancelled command that never arrived must not begin now: it is sent as expired, only to be answered.
    const expiresAt = pending.cancelled ? 0 : this.#options.expiryFor(pending.node);
    send?.({
      type: "command",
      command: { ...pending.request, epoch: this.#options.epoch, expiresAt },
    });
  }

  #sendCancel(pending: Pending): void {
    this.#options.sendTo(pending.node)?.({
      type: "cancel-command",
      commandId: pending.request.id,
      epoch: this.#options.epoch,
    });
  }
}

/** What an end means once its result was held against the kind's schema. */
function judgeEnd(message: Ended, request: CommandRequest): CommandOutcome {
  if (message.outcome !== "done") {
    const { outcome, failure } = message;
    return { outcome, failure: failure ?? silentFailure(outcome, request.kind) };
  }
  const schema = request.phase === "undo" ? Evidence : commands[request.kind].result;
  const parsed = schema.safeParse(message.result);
  if (parsed.success) return { outcome: "done", result: parsed.data };
  const issue = parsed.error.issues[0];
  return {
    outcome: "failed",
    failure: {
      code: "VERSION_MISMATCH",
      message: `The agent's result of ${request.kind} is against the schema: ${issue?.path.map(String).join(".") ?? ""}: ${issue?.message ?? ""}.`,
      hint: "install the same version of the agent and the coordinator",
      evidence: [],
      retryable: false,
    },
  };
}

function silentFailure(outcome: string, kind: string): FailureRecord {
  const interrupted = outcome === "interrupted";
  return {
    code: interrupted ? "INTERRUPTED" : "INTERNAL",
    message: interrupted
      ? `The agent was restarted during ${kind}.`
      : `The agent ended ${kind} as ${outcome} without a reason.`,
    hint: null,
    evidence: [],
    retryable: interrupted,
  };
}
