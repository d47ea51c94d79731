import { connect } from "node:net";
import { errnoOf } from "./file-failure.ts";

export type TcpAnswer = "open" | "refused" | "silent" | "unresolved";

/** One TCP connection attempt. `refused` comes from a host that lives; `silent` says nothing about it. */
export function probeTcp(host: string, port: number, timeoutMs: number): Promise<TcpAnswer> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (answer: TcpAnswer): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => settle("silent"), timeoutMs);
    socket.once("connect", () => settle("open"));
    socket.once("error", (error) => {
      const errno = errnoOf(error);
      if (errno === "ENOTFOUND" || errno === "EAI_AGAIN" || errno === "EAI_NONAME") {
        settle("unresolved");
      } else {
        settle(errno === "ECONNREFUSED" || errno === "ECONNRESET" ? "refused" : "silent");
      }
    });
  });
}
