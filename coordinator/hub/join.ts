import type { IncomingMessage, ServerResponse } from "node:http";
import * as z from "zod";
import { decode } from "#shared/protocol/codec.ts";
import { JoinAnswer, JoinRequest } from "#shared/protocol/messages.ts";
import { protocolVersion, version } from "#shared/version.ts";
import { asFailure, Failure } from "#shared/errors.ts";
import type { Clock } from "#shared/time.ts";
import { readBody, sendFailure, sendJson } from "../api/http-io.ts";
import type { Events } from "../events.ts";
import type { Authenticator } from "../trust/authenticator.ts";
import type { Refusals } from "./refusals.ts";

export type JoinPorts = {
  readonly authenticator: Authenticator;
  readonly events: Events;
  readonly refusals: Refusals;
  readonly clock: Clock;
  readonly certificatePem: string;
};

const maxBodyBytes = 4_096;
const AnyJoin = z.looseObject({ protocol: z.int() });

/** `POST /agent/join`: a one-time token for the agent's own secret. */
export async function answerJoin(
  { authenticator, events, refusals, clock, certificatePem }: JoinPorts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const address = request.socket.remoteAddress ?? "?";
  try {
    const join = parseJoin(await readBody(request, maxBodyBytes));
    const secret = authenticator.joinAgent(join.token, join.node, clock.now());
    events.emit("agent:joined", { node: join.node }, { address, agentVersion: join.agentVersion });
    const answer: z.infer<typeof JoinAnswer> = { secret, certificatePem };
    sendJson(response, 200, answer);
  } catch (error) {
    const failure = asFailure(error);
    refusals.record(null, address, failure.message);
    sendFailure(response, failure);
  }
}

function parseJoin(body: string): z.infer<typeof JoinRequest> {
  const outline = decode(AnyJoin, body, false);
  if (outline.ok && outline.message.protocol !== protocolVersion) {
    throw new Failure(
      "VERSION_MISMATCH",
      `The agent speaks protocol ${outline.message.protocol}; this coordinator (${version}) speaks ${protocolVersion}.`,
      { hint: "install the agent of the coordinator's version" },
    );
  }
  const decoded = decode(JoinRequest, body, false);
  if (!decoded.ok) throw new Failure("USAGE", `Not a join request: ${decoded.reason}.`);
  return decoded.message;
}
