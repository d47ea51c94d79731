import { incompleteMarker, oldDirectoryFor, stagingDirectoryFor } from "#shared/domain/names.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { forgetOwnFiles } from "../guard/rejoin/own-files.ts";
import { forgetRewind } from "../guard/rejoin/rewind.ts";
import type { StepContext } from "../ports.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { forgetBackup } from "./backup-records.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import type { ChangeStep } from "./step.ts";
import { forgetSwap, swapped } from "./swap-data-directory.ts";

/** The end of a rebuild: the copy is proved, and nobody needs the directory that was set aside. */
export const dropOldDirectory: ChangeStep<"drop-old-directory"> = {
  check: async (_args, context) =>
    (await swapped(context)) === null && !(await isMarked(context)) ? report(context) : null,
  apply: async (_args, context) => {
    const { files, ledger, settings } = context;
    const { dataDirectory } = settings.paths;
    const stagingDirectory = stagingDirectoryFor(dataDirectory);
    await files.remove(`${dataDirectory}/${incompleteMarker}`);
    await forgetBackup(context, { stagingDirectory });
    for (const key of [
      ledgerKey.tree(stagingDirectory),
      ledgerKey.nodeFiles(stagingDirectory),
      ledgerKey.stopped,
    ]) {
      // prettier-ignore
      await ledger.delete(key);
    }
    const guard = asGuardStep(context);
    await forgetOwnFiles(guard);
    await forgetRewind(guard);
    crashPoint("step:dropping-old-directory");
    const facts = await swapped(context);
    if (facts?.old != null) await files.removeTree(oldDirectoryFor(dataDirectory), facts.old);
    await forgetSwap(context);
  },
  verify: async (_args, context) => {
    if ((await swapped(context)) === null && !(await isMarked(context))) return report(context);
    throw new Failure("VERIFICATION_FAILED", "the data directory of before is still noted", { retryable: true }); // prettier-ignore
  },
  undo: () =>
    Promise.reject(new Failure("REFUSED", "the data directory of before may be gone by now")),
};

async function isMarked({ files, settings }: StepContext): Promise<boolean> {
  return (await files.stat(`${settings.paths.dataDirectory}/${incompleteMarker}`)) !== null;
}

function report({ settings }: StepContext) {
  const { dataDirectory } = settings.paths;
  return evidence([`${oldDirectoryFor(dataDirectory)} is gone: ${dataDirectory} is proved`]);
}
