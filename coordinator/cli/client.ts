import { request, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { FailureRecord } from "#shared/domain/operation.ts";
import { Failure } from "#shared/errors.ts";

/** The coordinator's API over its unix socket. Every call throws the coordinator's own Failure. */
export type ApiClient = {
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: unknown): Promise<T>;
  /** An answer that is no JSON, whole. */
  download(path: string): Promise<Buffer>;
  /** One parsed JSON value a line, until the coordinator ends the stream or the signal says stop. */
  watch<T>(path: string, signal: AbortSignal): AsyncIterable<T>;
};

/** The answers' shapes are the coordinator's own (api/contract.ts): same program, same version. */
export function createApiClient(socketPath: string, interrupted?: AbortSignal): ApiClient {
  const call = async (method: "GET" | "POST", path: string, body?: unknown): Promise<unknown> => {
    try {
      return await readJson(await send(socketPath, method, path, body, interrupted));
    } catch (error) {
      if (error instanceof Failure && !isLost(method, error)) throw error;
      throw lost(socketPath, method, error);
    }
  };
  return {
    get: async <T>(path: string) => (await call("GET", path)) as T, // shape by contract.ts
    post: async <T>(path: string, body: unknown) => (await call("POST", path, body)) as T, // shape by contract.ts
    download: async (path: string) => {
      const response = await send(socketPath, "GET", path, undefined, interrupted);
      if (response.statusCode !== 200) await readJson(response);
      try {
        return await readBytes(response);
      } catch (error) {
        throw cutOff(socketPath, error);
      }
    },
    async *watch<T>(path: string, signal: AbortSignal) {
      const response = await send(socketPath, "GET", path, undefined, signal);
      if (response.statusCode !== 200) await readJson(response);
      const lines = createInterface({ input: response, crlfDelay: Infinity });
      try {
        for await (const line of lines) {
          if (line !== "") yield JSON.parse(line) as T; // shape by contract.ts
        }
        // Without the last piece of a chunked answer it was cut, not ended.
        if (!response.complete && !signal.aborted) throw new Error("the stream was cut");
      } catch (cause) {
        if (!signal.aborted) throw cutOff(socketPath, cause);
      } finally {
        response.destroy();
      }
    },
  };
}

/** It was sent, and the coordinator went away before it answered. */
function isLost(method: string, { cause }: Failure): boolean {
  return method === "POST" && cause instanceof Error && "code" in cause && cause.code === "ECONNRESET"; // prettier-ignore
}

function lost(socketPath: string, method: string, cause: unknown): Failure {
  const hint =
    method === "POST"
      ? "whether it did what was asked is not known: castellan operation list, once it answers again"
      : "ask again when it is back (systemctl status castellan-coordinator)";
  const message = `The coordinator on ${socketPath} went away before it answered.`;
  return new Failure("COORDINATOR_UNREACHABLE", message, { cause, hint });
}

function send(
  socketPath: string,
  method: "GET" | "POST",
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath,
        method,
        path: `/api${path}`,
        headers: { "content-type": "application/json" },
        ...(signal === undefined ? {} : { signal }),
      },
      resolve,
    );
    call.on("error", (cause: NodeJS.ErrnoException) => {
      reject(unreachable(socketPath, cause));
    });
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** A line of a cut stream may be half a line: whatever it was, the stream is over. */
function cutOff(socketPath: string, cause: unknown): Failure {
  if (cause instanceof Failure) return cause;
  return new Failure(
    "COORDINATOR_UNREACHABLE",
    `The connection to the coordinator on ${socketPath} was cut.`,
    { cause },
  );
}

function unreachable(socketPath: string, cause: NodeJS.ErrnoException): Failure {
  if (cause.code === "EACCES") {
    return new Failure("COORDINATOR_UNREACHABLE", `No permission to use ${socketPath}.`, {
      cause,
      hint: "run castellan as the coordinator's user (or through sudo -u)",
    });
  }
  return new Failure(
    "COORDINATOR_UNREACHABLE",
    `No coordinator answers on ${socketPath} (${cause.code ?? cause.message}).`,
    {
      cause,
      hint: "start it (systemctl start castellan-coordinator), or name its socket with --socket or CASTELLAN_SOCKET",
    },
  );
}

async function readBytes(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer); // no encoding set: chunks are buffers
  return Buffer.concat(chunks);
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  const value: unknown = JSON.parse((await readBytes(response)).toString("utf8"));
  if (response.statusCode === 200) return value;
  const error =
    typeof value === "object" && value !== null && "error" in value ? value.error : null;
  const record = FailureRecord.safeParse(error);
  if (!record.success) {
    throw new Failure("INTERNAL", `The coordinator answered with status ${response.statusCode}.`);
  }
  const { code, message, hint, evidence, retryable } = record.data;
  throw new Failure(code, message, { evidence, retryable, ...(hint === null ? {} : { hint }) });
}
