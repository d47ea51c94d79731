import { X509Certificate } from "node:crypto";
import type { TLSSocket } from "node:tls";
import * as z from "zod";
import { Failure, failures, type FailureCode } from "#shared/errors.ts";
import { FailureRecord } from "#shared/domain/operation.ts";
import { decode } from "#shared/protocol/codec.ts";
import { JoinAnswer, type JoinRequest } from "#shared/protocol/messages.ts";
import { connectByFingerprint, plainFingerprint } from "./pinned-tls.ts";
import { post } from "./post.ts";

type JoinExchange = {
  readonly host: string;
  readonly port: number;
  /** sha256 of the certificate that must be shown, hex, with or without colons. */
  readonly fingerprint: string;
  readonly body: z.infer<typeof JoinRequest>;
  readonly timeoutMs: number;
};
export type ExchangeToken = (exchange: JoinExchange) => Promise<z.infer<typeof JoinAnswer>>;

const ErrorAnswer = z.looseObject({ error: FailureRecord });

/**
 * Trades the one-time token for the agent's secret: the certificate is proved before the token is sent.
 * @throws Failure AUTHENTICATION_FAILED, COORDINATOR_UNREACHABLE, or the coordinator's own
 */
export const exchangeToken: ExchangeToken = async ({ fingerprint, ...exchange }) => {
  const socket = await connectByFingerprint(exchange, fingerprint, exchange.timeoutMs);
  const answer = await requestJoin(socket, exchange);
  assertSameCertificate(answer.certificatePem, fingerprint);
  return answer;
};

async function requestJoin(
  socket: TLSSocket,
  { host, port, body, timeoutMs }: Omit<JoinExchange, "fingerprint">,
): Promise<z.infer<typeof JoinAnswer>> {
  let answer: { readonly status: number; readonly text: string };
  try {
    answer = await post(socket, {
      path: "/agent/join",
      headers: { host: `${host}:${port}` },
      body: JSON.stringify(body),
      timeoutMs,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure("COORDINATOR_UNREACHABLE", `${host}:${port} did not answer: ${reason}`, {
      hint: "If the token was used up meanwhile, make a new one: castellan token create --node NAME",
      cause: error,
    });
  }
  if (answer.status !== 200) throw refusal(`${host}:${port}`, answer);
  const decoded = decode(JoinAnswer, answer.text, false);
  if (decoded.ok) return decoded.message;
  throw new Failure("VERSION_MISMATCH", `${host}:${port} gave no join answer: ${decoded.reason}`, {
    hint: "Install castellan-agent of the coordinator's version.",
  });
}

function refusal(
  where: string,
  answer: { readonly status: number; readonly text: string },
): Failure {
  const decoded = decode(ErrorAnswer, answer.text, false);
  if (!decoded.ok) {
    const code = answer.status === 401 ? "AUTHENTICATION_FAILED" : "COORDINATOR_UNREACHABLE";
    return new Failure(code, `${where} answered with HTTP status ${answer.status}`, {
      hint: "Is that address the coordinator's port for agents?",
    });
  }
  const { code, message, hint } = decoded.message.error;
  const details = hint === null ? {} : { hint };
  return new Failure(isKnown(code) ? code : "INTERNAL", `${where} refused: ${message}`, details);
}

function isKnown(code: string): code is FailureCode {
  return Object.hasOwn(failures, code);
}

function assertSameCertificate(pem: string, fingerprint: string): void {
  let found: string;
  try {
    found = plainFingerprint(new X509Certificate(pem).fingerprint256);
  } catch (error) {
    throw new Failure("VERIFICATION_FAILED", "the coordinator's answer holds no certificate", {
      cause: error,
    });
  }
  if (found === plainFingerprint(fingerprint)) return;
  throw new Failure(
    "VERIFICATION_FAILED",
    `the coordinator's answer holds another certificate (${found}) than the one it shows`,
  );
}
