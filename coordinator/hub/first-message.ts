import type { RawData, WebSocket } from "ws";
import * as z from "zod";
import { decode } from "#shared/protocol/codec.ts";
import { AgentMessage, type closeCodes } from "#shared/protocol/messages.ts";
import { protocolVersion, version } from "#shared/version.ts";
import type { Hello } from "./agent-link.ts";

export type FirstMessage =
  | { readonly ok: true; readonly hello: Hello }
  | { readonly ok: false; readonly code: keyof typeof closeCodes; readonly reason: string };

/**
 * Waits for the hello of a new socket and judges it. `onFirst` is called once, in the very event of the
 * message: whoever takes over listens before the next message of the same packet is handed out.
 */
export function readHello(
  socket: WebSocket,
  node: string,
  limitMs: number,
  onFirst: (first: FirstMessage) => void,
): void {
  const settle = (first: FirstMessage): void => {
    clearTimeout(timer);
    socket.off("message", onMessage);
    socket.off("close", onClose);
    socket.off("error", onError);
    onFirst(first);
  };
  const refuse = (reason: string): void => settle({ ok: false, code: "badMessage", reason });
  const onMessage = (data: RawData, isBinary: boolean): void =>
    settle(judgeHello(data, isBinary, node));
  const onClose = (): void => refuse("closed before hello");
  const onError = (error: Error): void => refuse(error.message);
  const timer = setTimeout(() => refuse(`no hello within ${limitMs} ms`), limitMs);
  socket.on("message", onMessage);
  socket.on("close", onClose);
  socket.on("error", onError);
}

/** Another protocol's hello may look different, so its number is read before the rest is judged. */
const AnyHello = z.looseObject({ type: z.literal("hello"), protocol: z.int() });

function judgeHello(data: unknown, isBinary: boolean, node: string): FirstMessage {
  const outline = decode(AnyHello, data, isBinary);
  if (outline.ok && outline.message.protocol !== protocolVersion) {
    return {
      ok: false,
      code: "wrongProtocol",
      reason: `agent speaks protocol ${outline.message.protocol}, coordinator ${version} speaks ${protocolVersion}: install the same version`,
    };
  }
  const decoded = decode(AgentMessage, data, isBinary);
  if (!decoded.ok) return { ok: false, code: "badMessage", reason: decoded.reason };
  if (decoded.message.type !== "hello") {
    return { ok: false, code: "badMessage", reason: "the first message must be hello" };
  }
  if (decoded.message.node !== node) {
    return {
      ok: false,
      code: "badMessage",
      reason: `hello of ${decoded.message.node} with the secret of ${node}`,
    };
  }
  return { ok: true, hello: decoded.message };
}
