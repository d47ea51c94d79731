import { crashPoint } from "#shared/crash-point.ts";
import type { LocalStep } from "./local-step.ts";

/**
 * The proof comes first: the former primary is stopped behind a standby marker, and says what its last record is. Only
 * who has replayed that record is promoted.
 */
export const handOver: LocalStep<"hand-over"> = {
  run: async ({ from, to, stallMs }, { command }) => {
    const { shutdown, lines } = await command(from, "demote", { stallMs });
    crashPoint("step:demoted");
    const { checkpoint: replayed, timeline } = shutdown;
    const promoted = await command(to, "promote", { timeline, replayed, stallMs });
    crashPoint("step:promoted");
    return {
      alreadyDone: false,
      lines: [
        ...lines.map((line) => `${from}: ${line}`),
        ...promoted.lines.map((line) => `${to}: ${line}`),
      ],
      files: [],
    };
  },
  /** A successor that can't be asked may have been promoted: then nobody opens the former primary but a person. */
  undo: async ({ from, to, timeline, stallMs }, { command }) => {
    await command(to, "promote", { timeline, replayed: null, stallMs }, "undo");
    crashPoint("step:nobody-promoted");
    const { lines } = await command(from, "demote", { stallMs, isSole: true }, "undo");
    return { alreadyDone: false, lines: lines.map((line) => `${from}: ${line}`), files: [] };
  },
};
