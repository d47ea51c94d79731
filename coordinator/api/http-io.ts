import type { IncomingMessage, ServerResponse } from "node:http";
import { Failure, type FailureCode } from "#shared/errors.ts";
import { failureRecord } from "#shared/failure-record.ts";
import type { ErrorAnswer } from "./contract.ts";

/** The whole body as text. @throws Failure USAGE when it is larger than `maxBytes`. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    const buffer = Buffer.from(chunk);
    bytes += buffer.length;
    if (bytes > maxBytes) throw new Failure("USAGE", `The body is larger than ${maxBytes} bytes.`);
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    // What is left of a body that was refused must not be read as the next request.
    ...(status === 200 ? {} : { connection: "close" }),
  });
  response.end(text);
}

export function sendFailure(response: ServerResponse, failure: Failure): void {
  const answer: ErrorAnswer = { error: failureRecord(failure) };
  if (response.headersSent) response.destroy(failure);
  else sendJson(response, statusOf[failure.code] ?? 500, answer);
}

/** What is not here is 500: something failed behind the request. */
const statusOf: { readonly [K in FailureCode]?: number } = {
  USAGE: 400,
  CONFIG_INVALID: 400,
  AUTHENTICATION_FAILED: 401,
  REFUSED: 403,
  NOT_FOUND: 404,
  OPERATION_CONFLICT: 409,
  ALREADY_EXISTS: 409,
  PREFLIGHT_FAILED: 422,
  FORECAST_REFUSED: 422,
  VERSION_MISMATCH: 426,
  SINK_REFUSED: 502,
  SINK_UNREACHABLE: 503,
  NODE_UNREACHABLE: 503,
  DATABASE_UNREACHABLE: 503,
  POOL_UNREACHABLE: 503,
};
