import * as z from "zod";
import { parseCron } from "#shared/config-files/cron-lines.ts";
import type { Evidence } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import { runningVendorScripts } from "../adapters/vendor-scripts.ts";
import type { StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import type { ChangeStep } from "./step.ts";
import { watchProgress } from "./watch-progress.ts";

/** A rewind of a large node under way takes as long as it takes; nothing of the vendor's is ended by us. */
const stallMs = 600_000;

/**
 * The vendor's lines are commented by root's helper, which keeps the file's bytes; cron itself sees the new file within
 * a minute and is not restarted. What it had started before goes on until it ends: only then is the node ours.
 */
export const takeOverCron: ChangeStep<"take-over-cron"> = {
  check: async (_args, context) => {
    const isOurs = (await ownFacts(context, ledgerKey.cronLines, z.object({}))) !== null;
    const isOut = (await activeLines(context)).length === 0 && runningVendorScripts().length === 0;
    return isOut ? report(context, !isOurs) : null;
  },
  apply: async (_args, context) => {
    if ((await activeLines(context)).length > 0) {
      await noteOwn(context, ledgerKey.cronLines, {});
      await context.rootHelper.run("cron-comment");
    }
    await awaitScripts(context);
  },
  verify: async (_args, context) => {
    const [active] = await activeLines(context);
    if (active !== undefined) {
      throw new Failure("VERIFICATION_FAILED", `${cronFile(context)} still runs ${active}`, {
        retryable: true,
        hint: "Somebody enabled it again: kingbase_monitor.sh start and restart do.",
      });
    }
    return report(context, false);
  },
  undo: async (_args, context) => {
    if ((await ownFacts(context, ledgerKey.cronLines, z.object({}))) === null) {
      return evidence(["the vendor's lines were not commented by this operation"]);
    }
    const { stdout } = await context.rootHelper.run("cron-restore");
    await context.ledger.delete(ledgerKey.cronLines);
    return evidence([`${cronFile(context)}: ${stdout.trim()}`]);
  },
};

/** Commands of the vendor's lines that cron runs. */
async function activeLines(context: StepContext): Promise<readonly string[]> {
  const { stdout } = await context.rootHelper.run("cron-read");
  return Object.values(parseCron(stdout).vendor)
    .flatMap(({ lines }) => lines)
    .filter(({ hashes }) => hashes === 0)
    .map(({ command }) => command);
}

export function cronFile({ product }: StepContext): string {
  return product.vendor?.cronFile ?? "";
}

async function awaitScripts(context: StepContext): Promise<void> {
  const what = "the end of the vendor's scripts";
  const hint =
    "See what they do (ps), and begin anew when they have ended; until then the lines are as they were.";
  await watchProgress(context, { stallMs, everyMs: 200, what, hint }, () => {
    const running = runningVendorScripts().map(({ pid, script }) => `${script} (pid ${pid})`);
    if (running.length === 0) return Promise.resolve({ state: "done", value: null });
    const missing = `${running.join(", ")} still runs`;
    context.progress({ doneBytes: null, totalBytes: null, bytesPerSecond: null, note: missing });
    return Promise.resolve({ state: "waiting", token: missing, missing });
  });
}

async function report(context: StepContext, alreadyDone: boolean): Promise<Evidence> {
  const { stdout } = await context.rootHelper.run("cron-read");
  const lines = Object.values(parseCron(stdout).vendor).flatMap((found) => found.lines);
  const told = lines.map(({ line, command }) => `${cronFile(context)}:${line}: ${command} is commented`); // prettier-ignore
  return evidence(told.length === 0 ? [`${cronFile(context)} has none of the vendor's lines`] : told, { alreadyDone }); // prettier-ignore
}
