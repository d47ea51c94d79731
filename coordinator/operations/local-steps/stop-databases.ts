import { crashPoint } from "#shared/crash-point.ts";
import type { LocalStep, LocalStepArgs } from "./local-step.ts";

/**
 * The primary first: a fast stop ends only when its walsenders have sent the last record to every standby that streams
 * (PostgreSQL docs, "Shutting Down the Server", and walsender.c), and no commit waits for a standby that has gone. Each
 * follower says that it has replayed that record before it stops, so nobody lacks anything.
 */
export const stopDatabases: LocalStep<"stop-databases"> = {
  run: async ({ primary, followers, others, stallMs }, { command }) => {
    const lines: string[] = [];
    const stop = async (node: string, replayed: string | null): Promise<string> => {
      const stopped = await command(node, "stop-database", { replayed, stallMs });
      lines.push(...stopped.lines.map((line) => `${node}: ${line}`));
      return stopped.shutdown.checkpoint;
    };
    const last = primary === null ? null : await stop(primary, null);
    crashPoint("step:primary-down");
    for (const node of followers) await stop(node, last);
    for (const node of others) await stop(node, null);
    return { alreadyDone: false, lines, files: [] };
  },
  undo: async (args, { command }) => {
    const lines: string[] = [];
    for (const node of nodesOf(args)) {
      const { stallMs } = args;
      const undone = await command(node, "stop-database", { replayed: null, stallMs }, "undo");
      lines.push(...undone.lines.map((line) => `${node}: ${line}`));
    }
    return { alreadyDone: false, lines, files: [] };
  },
};

function nodesOf({ primary, followers, others }: LocalStepArgs<"stop-databases">) {
  return [...(primary === null ? [] : [primary]), ...followers, ...others];
}
