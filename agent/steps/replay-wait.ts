import { parseLsn } from "#shared/domain/lsn.ts";
import { Failure } from "#shared/errors.ts";
import type { Session, StepContext } from "../ports.ts";
import { flag, text } from "./row-values.ts";
import { watchProgress } from "./watch-progress.ts";

/** The upstream of a comparison: a session there, and what is to be asked of it. */
export type UpstreamSession = {
  readonly session: Session;
  readonly isPrimary: boolean;
};

export async function lookAtUpstream(
  session: Session,
  context: StepContext,
): Promise<UpstreamSession> {
  const [role] = await session.query(context.product.dialect(session.versionNumber).isInRecovery);
  return { session, isPrimary: !flag(role, "standby") };
}

/** As far as a standby can have got: what is flushed. A synchronous commit that is visible is within it. */
export async function reachablePosition(
  { session, isPrimary }: UpstreamSession,
  context: StepContext,
): Promise<string> {
  const dialect = context.product.dialect(session.versionNumber);
  const [row] = await session.query(isPrimary ? dialect.flushedPosition : dialect.standbyPositions);
  return row === undefined ? "" : text(row, isPrimary ? "lsn" : "replayed");
}

/** How long the standby may need by itself before the upstream is asked to flush; and how often that is repeated. */
const nudgeAfterMs = 30;
const nudgeEveryMs = 1_000;

/**
 * Waits until this standby has replayed `wanted`. The WAL writer flushes whole pages, so a flushed position may lie
 * within a record that an idle server completes only seconds later (mere reads write WAL where wal_log_hints is on,
 * as KingbaseES sets it): then the upstream is asked to flush the rest.
 */
export async function awaitReplay(
  wanted: string,
  stallMs: number,
  own: Session,
  upstream: UpstreamSession,
  context: StepContext,
): Promise<void> {
  const target = parseLsn(wanted);
  if (target === null) throw new Failure("VERIFICATION_FAILED", `'${wanted}' is no position`);
  const { standbyPositions } = context.product.dialect(own.versionNumber);
  const { flushWal } = context.product.dialect(upstream.session.versionNumber);
  let nudgeAt = context.clock.elapsedMs() + nudgeAfterMs;
  await watchProgress(
    context,
    { stallMs, everyMs: 10, what: `replay up to ${wanted}` },
    async () => {
      const [row] = await own.query(standbyPositions);
      const replayed = row === undefined ? "" : text(row, "replayed");
      const at = parseLsn(replayed);
      if (at === null) throw new Failure("REFUSED", "this node replays no WAL: it is no standby");
      if (at >= target) return { state: "done", value: null };
      if (upstream.isPrimary && context.clock.elapsedMs() >= nudgeAt) {
        nudgeAt = context.clock.elapsedMs() + nudgeEveryMs;
        await upstream.session.query(flushWal);
      }
      return { state: "waiting", token: replayed, missing: `replayed ${replayed}` };
    },
  );
}
