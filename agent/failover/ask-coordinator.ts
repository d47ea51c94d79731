import { readFile } from "node:fs/promises";
import { Failure } from "#shared/errors.ts";
import { decode } from "#shared/protocol/codec.ts";
import { FailoverAnswer, type FailoverCall } from "#shared/protocol/messages.ts";
import { connectPinned } from "../adapters/pinned-tls.ts";
import { post } from "../adapters/post.ts";
import { readSecret } from "../adapters/secrets.ts";
import type { AgentSettings } from "../settings.ts";

/** As the agent of this host, with its certificate and secret. @throws Failure COORDINATOR_UNREACHABLE, REFUSED */
export async function askCoordinator(
  call: FailoverCall,
  { coordinator, node }: Pick<AgentSettings, "coordinator" | "node">,
  timeoutMs: number,
): Promise<FailoverAnswer> {
  const { hostname, port, host } = new URL(coordinator.url);
  const secret = await readSecret(coordinator.secretFile, "the agent's secret");
  if (secret === null) throw new Failure("RESOURCE_MISSING", `${coordinator.secretFile} is gone`);
  const certificate = await readFile(coordinator.certificateFile, "utf8");
  const endpoint = { host: hostname.replaceAll(/^\[|\]$/g, ""), port: Number(port || 443) };
  let answer: { readonly status: number; readonly text: string };
  try {
    answer = await post(connectPinned(endpoint, certificate), {
      path: "/agent/failover",
      headers: { host, authorization: `Castellan ${node}:${secret.reveal()}` },
      body: JSON.stringify(call),
      timeoutMs,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Failure("COORDINATOR_UNREACHABLE", `${host} did not answer: ${reason}`);
  }
  const decoded = decode(FailoverAnswer, answer.text, false);
  if (answer.status === 200 && decoded.ok) return decoded.message;
  throw new Failure("REFUSED", `${host} answered with status ${answer.status}: ${answer.text.slice(0, 500)}`); // prettier-ignore
}
