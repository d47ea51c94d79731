import { request } from "node:http";
import type { TLSSocket } from "node:tls";

type Post = {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** Of silence. */
  readonly timeoutMs: number;
};

const mostAnswerBytes = 64 * 1024;

/** One request of JSON, after which the connection ends. */
export function post(
  socket: TLSSocket,
  { path, headers, body, timeoutMs }: Post,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        createConnection: () => socket,
        method: "POST",
        path,
        headers: {
          ...headers,
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          connection: "close",
        },
        timeout: timeoutMs,
      },
      (response) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        response.on("data", (chunk: Buffer) => {
          bytes += chunk.length;
          if (bytes > mostAnswerBytes) asked.destroy(new Error("an answer of more than 64 KiB"));
          else chunks.push(chunk);
        });
        response.on("end", () => {
          resolve({
            status: response.statusCode ?? 0,
            text: Buffer.concat(chunks).toString("utf8"),
          });
        });
        response.on("error", reject);
      },
    );
    asked.on("timeout", () => asked.destroy(new Error(`nothing within ${timeoutMs} ms`)));
    asked.on("error", reject);
    asked.end(body);
  });
}
