import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { Failure } from "#shared/errors.ts";
import { fileSize, readFrom } from "../adapters/pool-process.ts";
import type { StepContext } from "../ports.ts";
import { startLog } from "./server-start.ts";

/** Enough for the last minutes of a server that tries again and again. */
const tailBytes = 64 * 1024;

/**
 * A standby that does not stream says why in its own log: told with the stall, and a refused password as what it is.
 * The password in the node's files is that of the moment in which they were written.
 */
export async function streamingFailure(
  error: unknown,
  upstream: string,
  context: Pick<StepContext, "settings">,
): Promise<unknown> {
  if (!(error instanceof Failure) || error.code !== "STALLED") return error;
  const said = await lastComplaints(context);
  const isPassword = said.some((line) => line.includes("password authentication failed"));
  if (!isPassword) {
    return new Failure("STALLED", error.message, {
      cause: error,
      retryable: error.retryable,
      evidence: [...error.evidence, ...said],
    });
  }
  return new Failure(
    "AUTHENTICATION_FAILED",
    `${upstream} does not take the replication password that this node's files were written with`,
    {
      cause: error,
      hint: "It was changed since. Give the role that password back, or write the new one into this node's primary_conninfo and have it read (reload; before version 13 restart); or abort, set the secret replication here, and add the node again.",
      evidence: said,
    },
  );
}

async function lastComplaints({ settings }: Pick<StepContext, "settings">): Promise<string[]> {
  const log = startLog(settings.paths.dataDirectory, settings);
  const size = log === null ? null : await fileSize(log);
  if (log === null || size === null) return [];
  const text = maskSecrets("other", await readFrom(log, Math.max(0, size - tailBytes)));
  const lines = text.split("\n").filter((line) => /\b(?:FATAL|PANIC|ERROR):/.test(line));
  return lines.slice(-4);
}
