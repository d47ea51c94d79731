import WebSocket from "ws";
import { maxMessageBytes } from "#shared/protocol/codec.ts";
import { knowsCluster, numberedAnswers, takesDecisions } from "#shared/protocol/messages.ts";
import type { Secret } from "#shared/secret.ts";
import { connectPinned } from "./pinned-tls.ts";

export type LinkOptions = {
  /** wss://HOST:PORT/agent */
  readonly url: string;
  /** The coordinator's own certificate: no other is taken, whatever names stand in it. */
  readonly certificatePem: string;
  readonly node: string;
  readonly secret: Secret;
  readonly connectTimeoutMs: number;
};

/** How a link ended: by a close code, or before it was open by an HTTP status or an error. */
export type LinkEnd = {
  readonly code: number | null;
  readonly httpStatus: number | null;
  readonly reason: string;
};

type LinkListener = {
  readonly onOpen: () => void;
  readonly onMessage: (data: unknown, isBinary: boolean) => void;
  /** Anything at all was heard: a message, a ping, a pong. */
  readonly onHeard: () => void;
  /** Exactly once. */
  readonly onEnd: (end: LinkEnd) => void;
};

export type Link = {
  send(text: string): void;
  ping(): void;
  /** With a farewell; cut off when the other end does not answer it. */
  close(code: number, reason: string): void;
  /** Without one. */
  terminate(reason: string): void;
  readonly waitingBytes: number;
  /** Of before, the other end would take a decision for a bad message. */
  readonly takesDecisions: boolean;
};

export type OpenLink = (listener: LinkListener) => Link;

export function createLinkOpener(options: LinkOptions): OpenLink {
  const { hostname, port } = new URL(options.url);
  const endpoint = { host: hostname.replaceAll(/^\[|\]$/g, ""), port: Number(port || 443) };
  return (listener) => {
    const socket = new WebSocket(options.url, [numberedAnswers, takesDecisions, knowsCluster], {
      createConnection: () => connectPinned(endpoint, options.certificatePem),
      headers: { authorization: `Castellan ${options.node}:${options.secret.reveal()}` },
      handshakeTimeout: options.connectTimeoutMs,
      maxPayload: maxMessageBytes,
      perMessageDeflate: false,
      followRedirects: false,
    });
    let endReason: string | null = null;
    let httpStatus: number | null = null;
    socket.on("open", () => {
      listener.onHeard();
      listener.onOpen();
    });
    socket.on("message", (data, isBinary) => {
      listener.onHeard();
      listener.onMessage(data, isBinary);
    });
    socket.on("ping", () => listener.onHeard());
    socket.on("pong", () => listener.onHeard());
    socket.on("error", (error) => {
      endReason ??= error.message || ("code" in error ? String(error.code) : "connection failed");
      const status = /^Unexpected server response: (\d{3})$/.exec(error.message)?.[1];
      if (status !== undefined) httpStatus = Number(status);
    });
    socket.on("close", (code, reason) => {
      const said = reason.toString();
      listener.onEnd({
        // 1005, 1006: ws's own words for "no close frame".
        code: code === 1005 || code === 1006 ? null : code,
        httpStatus,
        reason: endReason ?? (said === "" ? "the connection was cut" : said),
      });
    });
    return {
      send: (text) => {
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
      },
      ping: () => {
        if (socket.readyState === WebSocket.OPEN) socket.ping();
      },
      close: (code, reason) => {
        endReason ??= reason;
        socket.close(code, reason.slice(0, 40));
        setTimeout(() => socket.terminate(), 1_000).unref();
      },
      terminate: (reason) => {
        endReason ??= reason;
        socket.terminate();
      },
      get waitingBytes() {
        return socket.bufferedAmount;
      },
      get takesDecisions() {
        return [takesDecisions, knowsCluster].includes(socket.protocol);
      },
    };
  };
}
