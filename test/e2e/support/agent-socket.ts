import { connect } from "node:tls";
import WebSocket from "ws";
import type { Lab } from "#test/harness/lab.ts";

type Speaker = {
  readonly address: string;
  readonly port: number;
  readonly node: string;
  readonly secret: string;
};

/** Opens an agent's socket by hand, says one thing, and answers how the coordinator ended it. */
export async function speakAs(
  lab: Lab,
  { address, port, node, secret }: Speaker,
  message: string | Buffer,
): Promise<{ readonly code: number; readonly reason: string }> {
  const plain = await lab.connect(address, port);
  const socket = new WebSocket(`wss://${address}:${port}/agent`, {
    // What is tested is the other end: no certificate is looked at.
    createConnection: () => connect({ socket: plain, rejectUnauthorized: false }),
    headers: { authorization: `Castellan ${node}:${secret}` },
  });
  return new Promise((resolve, reject) => {
    socket.on("open", () => socket.send(message));
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    socket.on("error", (error) => {
      // A message over the limit may end in a reset before the farewell is read.
      if ("code" in error && error.code === "EPIPE") resolve({ code: 1009, reason: "reset" });
      else reject(error);
    });
  });
}
