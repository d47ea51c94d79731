import * as z from "zod";
import type { CommandArgs } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { startStandby } from "../guard/start-standby.ts";
import type { StepContext } from "../ports.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { findPostmaster } from "./postmaster.ts";
import { lookAtServer } from "./server-launch.ts";
import { stopServer } from "./server-stop.ts";
import { startAsPrimary } from "./start-primary.ts";
import type { ChangeStep } from "./step.ts";

const RestartedFacts = z.object({ pid: z.int() });

/** The pid that is noted before the stop tells the old server from the new one. */
export const restartDatabase: ChangeStep<"restart-database"> = {
  check: async (args, context) => {
    const line = await lookAtNewServer(args, context);
    return line === null ? null : evidence([line], { alreadyDone: true });
  },
  apply: async ({ role, stallMs }, context) => {
    const { dataDirectory } = context.settings.paths;
    const postmaster = await findPostmaster(dataDirectory, context);
    const known = await ownFacts(context, ledgerKey.restarted, RestartedFacts);
    if (known === null) {
      if (postmaster === null || (await lookAtServer(dataDirectory, context, role)) === null) {
        throw new Failure("REFUSED", "no server runs here that could be started again");
      }
      await noteOwn(context, ledgerKey.restarted, { pid: postmaster.pid });
    }
    if (postmaster !== null && (known === null || postmaster.pid === known.pid)) {
      // Whatever happens to this operation, the guard starts a standby again.
      await context.guardMarks.mark({ restartingSince: context.clock.now() });
      await stopServer({ dataDirectory, stallMs }, context);
    }
    crashPoint("step:stopped-to-restart");
    if (role === "primary") await startAsPrimary(context);
    else await startStandby(asGuardStep(context));
    await context.guardMarks.mark({ restartingSince: null });
    crashPoint("step:restarted");
  },
  verify: async (args, context) => {
    const line = await lookAtNewServer(args, context);
    if (line !== null) return evidence([line]);
    throw new Failure("VERIFICATION_FAILED", "the restarted server does not answer", { retryable: true }); // prettier-ignore
  },
  undo: async ({ role }, context) => {
    const { dataDirectory } = context.settings.paths;
    if ((await ownFacts(context, ledgerKey.restarted, RestartedFacts)) === null)
      return evidence(["this operation restarted nothing here"]);
    if ((await findPostmaster(dataDirectory, context)) === null) {
      if (role === "primary") await startAsPrimary(context);
      else await startStandby(asGuardStep(context));
    }
    await context.guardMarks.mark({ restartingSince: null });
    await context.ledger.delete(ledgerKey.restarted);
    return evidence(["it runs"]);
  },
};

async function lookAtNewServer(
  { role }: CommandArgs<"restart-database">,
  context: StepContext,
): Promise<string | null> {
  const { dataDirectory } = context.settings.paths;
  const known = await ownFacts(context, ledgerKey.restarted, RestartedFacts);
  const postmaster = await findPostmaster(dataDirectory, context);
  if (known === null || postmaster === null || postmaster.pid === known.pid) return null;
  return lookAtServer(dataDirectory, context, role);
}
