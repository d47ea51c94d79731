import { chmodSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { asFailure, Failure } from "#shared/errors.ts";
import type { Log } from "#shared/log.ts";
import { readBody, sendFailure, sendJson } from "./http-io.ts";
import { findRoute, type Route } from "./routes.ts";

export type ApiServerOptions = {
  readonly socketPath: string;
  readonly routes: readonly Route[];
  readonly maxBodyBytes: number;
  readonly log: Log;
};

/**
 * The API on a unix socket of mode 0600: who may open it is who may ask.
 * @throws Failure OPERATION_CONFLICT when another coordinator answers there.
 */
export async function startApiServer(options: ApiServerOptions): Promise<AsyncDisposable> {
  const { socketPath } = options;
  assertFits(socketPath);
  await removeStaleSocket(socketPath);
  const server = createServer((request, response) => {
    void answer(options, request, response); // answers its own failures
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    // The state directory is 0700: nobody comes in between listen and chmod.
    server.listen(socketPath, resolve);
  });
  chmodSync(socketPath, 0o600);
  return {
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  { routes, maxBodyBytes, log }: ApiServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const url = new URL(request.url ?? "/", "http://coordinator");
    const { route, parameters } = findRoute(routes, request.method ?? "GET", url.pathname);
    const call = { parameters, query: url.searchParams };
    if ("stream" in route) {
      route.stream({ ...call, body: null }, response);
    } else if (route.method === "GET") {
      sendJson(response, 200, await route.answer({ ...call, body: null }));
    } else {
      const body = parseBody(route, await readBody(request, maxBodyBytes));
      sendJson(response, 200, await route.answer({ ...call, body }));
    }
  } catch (error) {
    const failure = asFailure(error);
    if (failure.code === "INTERNAL") log.error({ err: error, url: request.url }, "a call failed");
    sendFailure(response, failure);
  }
}

function parseBody(route: Extract<Route, { method: "POST" }>, text: string): unknown {
  if (route.schema === null) return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Failure("USAGE", "The body is not JSON.", { cause });
  }
  const parsed = route.schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where = issue?.path.map(String).join(".") ?? "";
  throw new Failure("USAGE", `${where === "" ? "The body" : where}: ${issue?.message ?? "against the schema"}.`); // prettier-ignore
}

/** sun_path is 108 bytes, the last one a zero (unix(7)); longer ones are cut without a word. */
function assertFits(socketPath: string): void {
  if (Buffer.byteLength(socketPath) <= 107) return;
  throw new Failure("CONFIG_INVALID", `The socket path ${socketPath} is longer than 107 bytes.`, {
    hint: "use a state directory with a shorter path",
  });
}

/** A socket file stays after a kill; it is removed only when nobody listens on it. */
async function removeStaleSocket(socketPath: string): Promise<void> {
  const code = await new Promise<string | null>((resolve) => {
    const probe = connect(socketPath);
    probe.once("connect", () => {
      probe.destroy();
      resolve(null);
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
  });
  if (code === "ENOENT") return;
  if (code === "ECONNREFUSED") {
    rmSync(socketPath);
    return;
  }
  throw new Failure(
    "OPERATION_CONFLICT",
    code === null
      ? `Another coordinator answers on ${socketPath}.`
      : `${socketPath} can't be used for the API (${code}).`,
    { hint: "stop the other one, or use another state directory" },
  );
}
