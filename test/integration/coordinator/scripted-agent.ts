import { randomUUID } from "node:crypto";
import { WebSocket } from "ws";
import type { CommandEnvelope } from "#shared/domain/commands.ts";
import type { NodeFacts } from "#shared/domain/facts.ts";
import { decode } from "#shared/protocol/codec.ts";
import {
  CoordinatorMessage,
  knowsCluster,
  numberedAnswers,
  takesDecisions,
  type AgentMessage,
  type CoordinatorMessage as Message,
} from "#shared/protocol/messages.ts";
import { protocolVersion, version } from "#shared/version.ts";
import { someFacts } from "#test/unit/some-facts.ts";

/** Answers a command's end, or null to leave it unanswered. */
export type Script = (command: CommandEnvelope) => Ended | null | Promise<Ended | null>;
type Ended = Omit<Extract<AgentMessage, { type: "command-ended" }>, "type" | "commandId">;

export type ScriptedAgentOptions = {
  readonly port: number;
  readonly node: string;
  readonly secret: string;
  readonly certificatePem: string;
  readonly instanceId?: string;
  readonly protocol?: number;
  readonly highestEpoch?: number;
  readonly script?: Script;
  readonly facts?: NodeFacts;
  /** Dial again whenever the link ends. */
  readonly reconnect?: boolean;
  /** Say hello and the facts by itself. */
  readonly greet?: boolean;
  /** Of before questions had numbers. */
  readonly isOlder?: boolean;
  /** Understands what is said of its cluster, as an agent of now. */
  readonly knowsCluster?: boolean;
};

/**
 * Not a real agent: it speaks the protocol as a test's script says. Like a real one it answers a repeated
 * command id from what it stored, and sends an end again until it is acknowledged.
 */
export class ScriptedAgent implements Disposable {
  readonly received: Message[] = [];
  readonly commands: CommandEnvelope[] = [];
  /** How often each id was really begun. */
  readonly begun = new Map<string, number>();
  readonly closes: { readonly code: number; readonly reason: string }[] = [];
  readonly instanceId: string;
  readonly #options: ScriptedAgentOptions;
  readonly #ended = new Map<string, Ended>();
  readonly #acknowledged = new Set<string>();
  #socket: WebSocket;
  #isOver = false;
  script: Script;
  facts: NodeFacts;
  factsVersion = 0;
  /** Looks take their time: what is asked is in `received`, and the test answers. */
  holdsAnswers = false;

  constructor(options: ScriptedAgentOptions) {
    this.#options = options;
    this.script = options.script ?? (() => done());
    this.facts = options.facts ?? someFacts();
    this.instanceId = options.instanceId ?? randomUUID();
    this.#socket = this.#dial();
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get isWelcome(): boolean {
    return this.isOpen && this.received.some((message) => message.type === "welcome");
  }

  send(message: AgentMessage): void {
    this.#socket.send(JSON.stringify(message));
  }

  sendRaw(data: string | Buffer): void {
    this.#socket.send(data);
  }

  sendFacts(answers?: number): void {
    this.factsVersion += 1;
    const facts = { type: "facts", version: this.factsVersion, facts: this.facts } as const;
    this.send(answers === undefined ? facts : { ...facts, answers });
  }

  /** The link breaks without a farewell. */
  breakLink(): void {
    this.#socket.terminate();
  }

  /** Deaf and dumb, but the socket stays. */
  freeze(): void {
    this.#socket.pause();
  }

  end(command: string, ended: Ended): void {
    this.#ended.set(command, ended);
    if (this.isOpen) this.send({ type: "command-ended", commandId: command, ...ended });
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#socket.terminate();
  }

  #dial(): WebSocket {
    const { port, node, secret, certificatePem, protocol, highestEpoch, reconnect, greet } =
      this.#options;
    const { isOlder, knowsCluster: knows } = this.#options;
    const before = isOlder === true ? [] : [numberedAnswers, takesDecisions];
    const offered = knows === true ? [...before, knowsCluster] : before;
    const socket = new WebSocket(`wss://127.0.0.1:${port}/agent`, offered, {
      ca: certificatePem,
      // The certificate itself is pinned; 127.0.0.1 is among its names.
      headers: { authorization: `Castellan ${node}:${secret}` },
    });
    socket.on("open", () => {
      if (greet === false) return;
      this.send({
        type: "hello",
        protocol: protocol ?? protocolVersion,
        agentVersion: version,
        node,
        instanceId: this.instanceId,
        highestEpoch: highestEpoch ?? 0,
        clockMs: Date.now(),
      });
    });
    socket.on("message", (data, isBinary) => {
      const decoded = decode(CoordinatorMessage, data, isBinary);
      if (!decoded.ok)
        throw new Error(`the coordinator sent what is no message: ${decoded.reason}`);
      this.received.push(decoded.message);
      this.#answer(decoded.message);
    });
    socket.on("error", () => undefined);
    socket.on("close", (code, reason) => {
      this.closes.push({ code, reason: reason.toString() });
      if (reconnect === true && !this.#isOver) setTimeout(() => this.#redial(), 50);
    });
    return socket;
  }

  #redial(): void {
    if (!this.#isOver) this.#socket = this.#dial();
  }

  #answer(message: Message): void {
    if (message.type === "welcome") {
      this.sendFacts();
      for (const [commandId, ended] of this.#ended) {
        if (this.#acknowledged.has(commandId)) continue;
        this.send({ type: "command-ended", commandId, ...ended });
      }
    }
    if (message.type === "observe-now" && !this.holdsAnswers) this.sendFacts(message.question);
    if (message.type === "resend-facts") this.sendFacts();
    if (message.type === "command-acknowledged") this.#acknowledged.add(message.commandId);
    if (message.type === "command") void this.#receive(message.command); // rejects only if the script throws
  }

  async #receive(command: CommandEnvelope): Promise<void> {
    this.commands.push(command);
    const stored = this.#ended.get(command.id);
    if (stored !== undefined) {
      this.send({ type: "command-ended", commandId: command.id, ...stored });
      return;
    }
    this.send({ type: "command-accepted", commandId: command.id });
    if (this.begun.has(command.id)) return;
    if (command.expiresAt < Date.now()) {
      this.end(command.id, failed({ code: "REFUSED", message: "expired" }, "refused"));
      return;
    }
    this.begun.set(command.id, 1);
    const ended = await this.script(command);
    if (ended !== null) this.end(command.id, ended);
  }
}

export function done(
  result: unknown = { alreadyDone: false, lines: ["as scripted"], files: [] },
): Ended {
  return { outcome: "done", result, failure: null };
}

export function failed(
  failure: { readonly code?: "REFUSED" | "PROGRAM_FAILED" | "INTERRUPTED" | "NODE_UNREACHABLE" | "PAST_RETURN"; readonly message?: string; readonly retryable?: boolean } = {}, // prettier-ignore
  outcome: "failed" | "refused" | "interrupted" = "failed",
): Ended {
  return {
    outcome,
    result: null,
    failure: {
      code: failure.code ?? "PROGRAM_FAILED",
      message: failure.message ?? "as scripted",
      hint: null,
      evidence: [],
      retryable: failure.retryable ?? false,
    },
  };
}
