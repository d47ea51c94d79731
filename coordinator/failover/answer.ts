import type { IncomingMessage, ServerResponse } from "node:http";
import { decode } from "#shared/protocol/codec.ts";
import { FailoverCall } from "#shared/protocol/messages.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import { readBody, sendFailure, sendJson } from "../api/http-io.ts";
import type { Refusals } from "../hub/refusals.ts";
import type { Authenticator } from "../trust/authenticator.ts";
import type { FailOver } from "./fail-over.ts";

type FailoverPorts = {
  readonly authenticator: Authenticator;
  readonly refusals: Refusals;
  readonly failOver: FailOver;
};

/** `POST /agent/failover`: the pool on an agent's host has lost its primary. */
export async function answerFailover(
  { authenticator, refusals, failOver }: FailoverPorts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const asked = authenticator.authenticateAgent(request.headers);
    if (!asked.ok) {
      refusals.record(null, request.socket.remoteAddress ?? "?", asked.reason);
      throw new Failure("AUTHENTICATION_FAILED", asked.reason);
    }
    const decoded = decode(FailoverCall, await readBody(request, 4_096), false);
    if (!decoded.ok) throw new Failure("USAGE", `Not a failover's call: ${decoded.reason}.`);
    sendJson(response, 200, await failOver(asked.node, decoded.message));
  } catch (error) {
    sendFailure(response, asFailure(error));
  }
}
