import { setTimeout as sleep } from "node:timers/promises";
import { asFailure, Failure } from "#shared/errors.ts";
import type { OperationUpdate } from "../api/contract.ts";
import type { CliContext } from "./context.ts";

/** A coordinator that was restarted is back in seconds; one that is not is not waited for. */
const limits = { patienceMs: 30_000, everyMs: 500 };

/**
 * The updates of an operation until it rests or Ctrl-C: over a restart of the coordinator, too, which begins
 * again with the whole operation. A coordinator that never answered is not waited for.
 * @throws Failure COORDINATOR_UNREACHABLE with the line to attach again.
 */
export async function* followOperation(
  context: CliContext,
  id: string,
): AsyncIterable<OperationUpdate> {
  let wasThere = false;
  // Counted from the loss, not from the last update: a step may have nothing to say for minutes.
  let lostAt: number | null = null;
  for (;;) {
    try {
      const path = `/operations/${encodeURIComponent(id)}/watch`;
      for await (const update of context
        .client()
        .watch<OperationUpdate>(path, context.interrupted)) {
        wasThere = true;
        lostAt = null;
        yield update;
      }
      return;
    } catch (error) {
      const failure = asFailure(error);
      if (context.interrupted.aborted) return;
      if (failure.code !== "COORDINATOR_UNREACHABLE" || !wasThere) throw failure;
      if (lostAt !== null && context.elapsedMs() - lostAt > limits.patienceMs) {
        throw stillAway(id, failure);
      }
      if (lostAt === null) {
        context.terminal.drawDone();
        context.terminal.printError([
          `The coordinator does not answer; looking for it for up to ${limits.patienceMs / 1000} s.`,
        ]);
      }
      lostAt ??= context.elapsedMs();
    }
    await sleep(limits.everyMs, null, { signal: context.interrupted }).catch(() => null); // Ctrl-C: seen above
  }
}

function stillAway(id: string, cause: Failure): Failure {
  return new Failure("COORDINATOR_UNREACHABLE", cause.message, {
    cause,
    hint: `start it (systemctl start castellan-coordinator): the operation goes on from the journal. To attach again: castellan operation watch ${id}`,
  });
}
