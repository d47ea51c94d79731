import type { Socket } from "node:net";
import type { RawData, WebSocket } from "ws";
import { decode, encode } from "#shared/protocol/codec.ts";
import {
  AgentMessage,
  closeCodes,
  knowsCluster,
  type AgentMessage as Message,
  type CoordinatorMessage,
} from "#shared/protocol/messages.ts";

export type Hello = Extract<Message, { type: "hello" }>;

export type LinkSettings = {
  readonly heartbeat: { readonly everyMs: number; readonly lostAfterMs: number };
  readonly sendBufferBytes: number;
};

/**
 * One agent's authenticated socket after its hello.
 *  waiting - it may be a second agent of its node; what it sends is kept back
 *  live    - welcomed; messages go to `onMessage`
 *  closed  - for whatever reason; `onClosed` was called once
 */
export class AgentLink {
  readonly hello: Hello;
  readonly address: string;
  readonly #socket: WebSocket;
  readonly #settings: LinkSettings;
  readonly #heartbeat: NodeJS.Timeout;
  #state: "waiting" | "live" | "closed" = "waiting";
  /** Bytes, not messages: a long message on a slow road holds back every pong until it has arrived. */
  readonly #connection: Pick<Socket, "bytesRead">;
  #heardBytes = 0;
  /** Counted in beats: while we ourselves didn't run, nobody could be heard. */
  #silentMs = 0;
  #closeReason: string | null = null;
  #endedInSilence = false;
  #early: Message[] = [];
  #onMessage: (message: Message) => void = (message) => {
    this.#early.push(message);
    if (this.#early.length > maxEarlyMessages) this.close("badMessage", "too much before welcome");
  };
  #onPong: (() => void)[] = [];

  constructor(
    socket: WebSocket,
    hello: Hello,
    connection: Pick<Socket, "bytesRead" | "remoteAddress">,
    settings: LinkSettings,
    listeners: {
      readonly onBadMessage: (reason: string) => void;
      readonly onClosed: (reason: string) => void;
    },
  ) {
    this.#socket = socket;
    this.hello = hello;
    this.#connection = connection;
    this.address = connection.remoteAddress ?? "?";
    this.#settings = settings;
    socket.on("message", (data, isBinary) => {
      this.#receive(data, isBinary, listeners.onBadMessage);
    });
    socket.on("pong", () => {
      for (const resolve of this.#onPong.splice(0)) resolve();
    });
    socket.on("error", (error) => {
      // Too large a message, a broken frame, a reset connection: ws closes it itself.
      this.#closeReason ??= error.message;
      if ("code" in error && String(error.code).startsWith("WS_ERR_")) {
        listeners.onBadMessage(error.message);
      }
    });
    socket.on("close", (code, reason) => {
      if (this.#state === "closed") return;
      this.#state = "closed";
      clearInterval(this.#heartbeat);
      this.#endedInSilence ||= code === closeCodes.nothingHeard;
      listeners.onClosed(this.#closeReason ?? (reason.toString() || `closed (${code})`));
    });
    this.#heartbeat = setInterval(() => this.#beat(), settings.heartbeat.everyMs);
  }

  get isOpen(): boolean {
    return this.#state !== "closed";
  }

  /** At this end or the other nothing came any more. Its agent's death is none: the host tells that. */
  get endedInSilence(): boolean {
    return this.#endedInSilence;
  }

  /** It sends a question's number back with the answer. */
  get numbersAnswers(): boolean {
    return this.#socket.protocol !== "";
  }

  /** Of before, it would take what is said of its cluster for a bad message. */
  get knowsCluster(): boolean {
    return this.#socket.protocol === knowsCluster;
  }

  /** From now on messages are handed over, those that came early first. */
  goLive(onMessage: (message: Message) => void): void {
    if (this.#state !== "waiting") return;
    this.#state = "live";
    this.#onMessage = onMessage;
    for (const message of this.#early.splice(0)) onMessage(message);
  }

  send(message: CoordinatorMessage): void {
    if (this.#state === "closed") return;
    this.#socket.send(encode(message));
    if (this.#socket.bufferedAmount > this.#settings.sendBufferBytes) {
      this.terminate(`does not read: ${this.#socket.bufferedAmount} bytes are waiting`);
    }
  }

  /** Does the other end answer within the limit? */
  async answersPing(withinMs: number): Promise<boolean> {
    if (this.#state === "closed") return false;
    const answered = new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), withinMs);
      this.#onPong.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
      this.#socket.once("close", () => {
        clearTimeout(timer);
        resolve(false);
      });
    });
    this.#socket.ping();
    return answered;
  }

  close(code: keyof typeof closeCodes, reason: string): void {
    this.#closeReason ??= reason;
    closeSocket(this.#socket, code, reason);
  }

  /** No farewell: the other end does not answer anyway. */
  terminate(reason: string): void {
    this.#closeReason ??= reason;
    this.#socket.terminate();
  }

  #receive(data: RawData, isBinary: boolean, onBadMessage: (reason: string) => void): void {
    if (this.#state === "closed" || this.#closeReason !== null) return;
    const decoded = decode(AgentMessage, data, isBinary);
    if (decoded.ok && decoded.message.type !== "hello") {
      this.#onMessage(decoded.message);
      return;
    }
    const reason = decoded.ok ? "a second hello" : decoded.reason;
    onBadMessage(reason);
    this.close("badMessage", reason);
  }

  #beat(): void {
    const { everyMs, lostAfterMs } = this.#settings.heartbeat;
    const { bytesRead } = this.#connection;
    this.#silentMs = bytesRead === this.#heardBytes ? this.#silentMs + everyMs : 0;
    this.#heardBytes = bytesRead;
    if (this.#silentMs > lostAfterMs) {
      this.#endedInSilence = true;
      this.terminate(`silent for ${Math.round(this.#silentMs / 100) / 10} s`);
    } else {
      this.#socket.ping();
    }
  }
}

/** Before `welcome` an agent has nothing to say but its facts and what waited for acknowledgement. */
const maxEarlyMessages = 1_000;

/** Closes with one of our codes; RFC 6455 allows 123 bytes of reason. */
export function closeSocket(
  socket: WebSocket,
  code: keyof typeof closeCodes,
  reason: string,
): void {
  const bytes = Buffer.from(reason, "utf8");
  socket.close(closeCodes[code], bytes.length <= 123 ? bytes : bytes.subarray(0, 120).toString("utf8").replace(/\uFFFD$/u, "")); // prettier-ignore
  // A peer that does not answer the close frame must not hold the socket for ws's 30 s.
  setTimeout(() => socket.terminate(), 2_000).unref();
}
