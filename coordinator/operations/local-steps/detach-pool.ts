import type { LocalStep } from "./local-step.ts";
import { attachPool } from "./attach-pool.ts";

const stallMs = 10_000;

/** No pool sends the node anything any more. A row that was up when this was planned is attached again by the undo. */
export const detachPool: LocalStep<"detach-pool"> = {
  run: async ({ row, pools }, { command }) => {
    // The one at the watchdog's leader detaches, the others see it arrive.
    const lines = await Promise.all(
      pools.map(async ({ node }) => {
        const detached = await command(node, "detach-backend", { row, stallMs });
        return detached.lines.map((line) => `${node}: ${line}`);
      }),
    );
    return { alreadyDone: false, lines: lines.flat(), files: [] };
  },
  undo: (args, context) => attachPool.run(args, context),
};
