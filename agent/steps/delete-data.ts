import { oldDirectoryFor } from "#shared/domain/names.ts";
import type { CommandArgs } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { isSameDirectory } from "../decide/directory-identity.ts";
import type { StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { MadeDirectory } from "./own-directory.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { assertStopped } from "./postmaster.ts";
import { assertStandby } from "./server-launch.ts";
import type { ChangeStep } from "./step.ts";

/** Renamed first: a directory that lost its standby marker half-way must not lie where a server is started. */
export const deleteData: ChangeStep<"delete-data"> = {
  check: async (args, context) => ((await isGone(args, context)) ? report(args) : null),
  apply: async (args, context) => {
    const { files, settings } = context;
    const { dataDirectory } = args;
    const aside = oldDirectoryFor(dataDirectory);
    if (dataDirectory !== settings.paths.dataDirectory) {
      throw new Failure(
        "REFUSED",
        `${dataDirectory} is not the data directory of ${settings.node}`,
      );
    }
    const key = ledgerKey.deleted(dataDirectory);
    const known = await ownFacts(context, key, MadeDirectory);
    const found = await files.stat(dataDirectory);
    if (found !== null && (known === null || isSameDirectory(found, known))) {
      await assertStopped(dataDirectory, context);
      await assertStandby(dataDirectory, context);
      if ((await files.stat(aside)) !== null) {
        throw new Failure("ALREADY_EXISTS", `${aside} is there already`, { hint: "Move it away." });
      }
      const { device, inode, bornNs } = found;
      await noteOwn(context, key, { device, inode, bornNs });
      await files.rename(dataDirectory, aside);
    }
    crashPoint("step:deleting-data");
    const noted = await ownFacts(context, key, MadeDirectory);
    if (noted !== null) await files.removeTree(aside, noted);
    await context.ledger.delete(key);
  },
  verify: async (args, context) => {
    if (await isGone(args, context)) return report(args);
    throw new Failure("VERIFICATION_FAILED", `${args.dataDirectory} is there`, { retryable: true });
  },
  undo: () => Promise.reject(new Failure("REFUSED", "the data may be gone by now")),
};

async function isGone({ dataDirectory }: CommandArgs<"delete-data">, context: StepContext) {
  const noted = await ownFacts(context, ledgerKey.deleted(dataDirectory), MadeDirectory);
  return noted === null && (await context.files.stat(dataDirectory)) === null;
}

function report({ dataDirectory }: CommandArgs<"delete-data">) {
  return Promise.resolve(evidence([`${dataDirectory} is gone`]));
}
