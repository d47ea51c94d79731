import { lsnDistance } from "#shared/domain/lsn.ts";
import { Failure } from "#shared/errors.ts";
import { positionOf } from "./prove-streaming.ts";
import type { ReadStep } from "./step.ts";

/** How fast this host's own database writes (or, a standby, replays) WAL right now. */
export const measureWalRate: ReadStep<"measure-wal-rate"> = {
  verify: async ({ windowMs }, context) => {
    await using session = await context.databases.connectOwn(context.settings.database.name);
    const dialect = context.product.dialect(session.versionNumber);
    const first = await positionOf(session, dialect);
    const startedAt = performance.now();
    await context.clock.sleep(windowMs, context.signal);
    const last = await positionOf(session, dialect);
    const seconds = (performance.now() - startedAt) / 1000;
    const bytes = lsnDistance(first, last);
    if (bytes === null) {
      throw new Failure("VERIFICATION_FAILED", `no WAL position to measure: '${first}', '${last}'`);
    }
    return { bytesPerSecond: Math.max(0, bytes) / seconds };
  },
};
