import { connectUpstream } from "./prove-streaming.ts";
import type { ReadStep } from "./step.ts";

const blockBytes = 1024 * 1024;
const blocksPerQuery = 4;
/** Enough to be past the slow start of a connection, and never a burden for the source. */
const longestMs = 3_000;

/** One session's bytes per second over the path that the copy will take: rows made of nothing, thrown away. */
export const measureThroughput: ReadStep<"measure-throughput"> = {
  verify: async ({ upstream, bytes }, context) => {
    await using session = await connectUpstream(upstream, context);
    const read = (blocks: number) =>
      session.query("SELECT repeat('x', $1) AS block FROM generate_series(1, $2)", [
        blockBytes,
        blocks,
      ]);
    await read(1); // the window opens
    const wanted = Math.max(1, Math.ceil(bytes / blockBytes));
    const startedAt = performance.now();
    let blocks = 0;
    while (blocks < wanted && performance.now() - startedAt < longestMs) {
      context.signal.throwIfAborted();
      const now = Math.min(blocksPerQuery, wanted - blocks);
      await read(now);
      blocks += now;
    }
    const seconds = Math.max(0.001, (performance.now() - startedAt) / 1000);
    return { bytesPerSecond: (blocks * blockBytes) / seconds };
  },
};
