import { connect, type Socket } from "node:net";

/**
 * A door into a lab's network for programs outside of it: connect to the unix socket, write
 * "address:port\n", and the rest is the TCP connection, made from where the relay runs.
 */
export const relayProgram = `
import net from "node:net";
const [path] = process.argv.slice(2);
net.createServer({ allowHalfOpen: true }, (inner) => {
  let head = "";
  inner.on("error", () => inner.destroy());
  const read = (chunk) => {
    head += chunk.toString("latin1");
    const end = head.indexOf("\\n");
    if (end < 0) return;
    inner.off("data", read);
    inner.pause();
    const [host, port] = head.slice(0, end).split(":");
    const outer = net.connect({ host, port: Number(port), allowHalfOpen: true });
    outer.on("error", () => inner.destroy());
    outer.on("connect", () => {
      outer.setNoDelay(true);
      inner.write("+\\n");
      inner.unshift(Buffer.from(head.slice(end + 1), "latin1"));
      inner.pipe(outer).pipe(inner);
    });
    outer.on("close", () => inner.destroy());
    inner.on("close", () => outer.destroy());
  };
  inner.on("data", read);
}).listen(path, () => console.log("ready"));
`;

/** Opens a TCP connection through a relay; fails like a refused or timed-out connection does. */
export function connectThrough(
  relay: string,
  address: string,
  port: number,
  timeoutMs = 5000,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(relay);
    const fail = (error?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new Error(`cannot connect to ${address}:${port}`, { cause: error }));
    };
    const timer = setTimeout(fail, timeoutMs);
    const onClose = (): void => fail();
    socket.once("error", fail);
    socket.once("close", onClose);
    socket.once("connect", () => socket.write(`${address}:${port}\n`));
    socket.once("readable", () => {
      // The relay's two bytes of consent; what the server says first stays in the stream.
      if (socket.read(2) === null) return;
      clearTimeout(timer);
      socket.off("error", fail);
      socket.off("close", onClose);
      resolve(socket);
    });
  });
}
