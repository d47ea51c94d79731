import * as z from "zod";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import type { ChangeStep } from "./step.ts";
import { cronFile } from "./take-over-cron.ts";

/** What the root helper says where it never commented a line. */
const nothingOfOurs = "nothing of ours";

const Restored = z.object({ said: z.string().nullable() });

/** From the next minute on cron runs the vendor's checks again. */
export const handBackCron: ChangeStep<"hand-back-cron"> = {
  check: async (_args, context) => {
    const done = await ownFacts(context, ledgerKey.cronLines, Restored);
    return done?.said == null ? null : evidence([`${cronFile(context)}: ${done.said}`]);
  },
  apply: async (_args, context) => {
    await noteOwn(context, ledgerKey.cronLines, { said: null });
    const { stdout } = await context.rootHelper.run("cron-restore");
    await noteOwn(context, ledgerKey.cronLines, { said: stdout.trim() });
  },
  verify: async (_args, context) => {
    const done = await ownFacts(context, ledgerKey.cronLines, Restored);
    return evidence([`${cronFile(context)}: ${done?.said ?? "restored"}`]);
  },
  undo: async (_args, context) => {
    const done = await ownFacts(context, ledgerKey.cronLines, Restored);
    if (done === null || done.said === nothingOfOurs) {
      return evidence(["the vendor's lines were not given back by this operation"]);
    }
    const { stdout } = await context.rootHelper.run("cron-comment");
    await context.ledger.delete(ledgerKey.cronLines);
    return evidence([`${cronFile(context)}: ${stdout.trim()}`]);
  },
};
