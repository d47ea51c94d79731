import * as z from "zod";
import type { CommandArgs, Evidence } from "#shared/domain/commands.ts";
import { incompleteMarker } from "#shared/domain/names.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { isSameDirectory } from "../decide/directory-identity.ts";
import type { FileIdentity, FileStat, StepContext } from "../ports.ts";
import { backupMarker } from "./backup-records.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { MadeDirectory, TreeFacts } from "./own-directory.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { assertStopped } from "./postmaster.ts";
import type { ChangeStep } from "./step.ts";

type Args = CommandArgs<"place-data-directory">;

const PlacedFacts = z.object({
  identity: MadeDirectory,
  /** The empty directory that stood there; made again by undo. */
  replaced: z.object({ mode: z.int() }).nullable(),
});

/** The finished copy gets its real name, in one rename; what it is known by stays. */
export const placeDataDirectory: ChangeStep<"place-data-directory"> = {
  check: async (args, context) => {
    const marked = await context.files.stat(backupMarker(args.stagingDirectory));
    return marked === null && (await isPlaced(args, context)) ? report(args) : null;
  },
  apply: async (args, context) => {
    const { files } = context;
    if (args.stagingDirectory === args.dataDirectory) return;
    if (await isPlaced(args, context)) return;
    const tree = await ownFacts(context, ledgerKey.tree(args.stagingDirectory), TreeFacts);
    const found = await files.stat(args.stagingDirectory);
    if (tree?.identity == null || found === null || !isSame(found, tree.identity)) {
      throw new Failure("REFUSED", `${args.stagingDirectory} is not the copy of this operation`);
    }
    if ((await files.stat(`${args.stagingDirectory}/${incompleteMarker}`)) === null) {
      throw new Failure("REFUSED", `${args.stagingDirectory} holds no finished copy of ours`);
    }
    const target = await files.stat(args.dataDirectory);
    if (target !== null) {
      const holds = target.kind === "directory" ? await files.list(args.dataDirectory) : ["a file"];
      if (holds.length > 0 || target.uid !== found.uid) {
        throw new Failure(
          "ALREADY_EXISTS",
          `${args.dataDirectory} is not an empty directory of ours`,
          {
            hint: "Nothing in it was touched. Move it away.",
            evidence: holds.slice(0, 10),
          },
        );
      }
    }
    const replaced = target === null ? null : { mode: target.mode };
    const known = await ownFacts(context, placedKey(args), PlacedFacts);
    const facts = { identity: tree.identity, replaced: known?.replaced ?? replaced };
    await noteOwn(context, placedKey(args), facts);
    // rename(2) takes an empty directory's place in one step.
    await files.rename(args.stagingDirectory, args.dataDirectory);
    crashPoint("step:placed");
  },
  verify: async (args, context) => {
    if (!(await isPlaced(args, context))) {
      throw new Failure("VERIFICATION_FAILED", `${args.dataDirectory} is not our copy`, {
        retryable: true,
      });
    }
    const marker = backupMarker(args.stagingDirectory);
    if ((await context.files.stat(marker)) !== null) await context.files.remove(marker);
    return report(args);
  },
  undo: async (args, context) => {
    const { files } = context;
    const facts = await ownFacts(context, placedKey(args), PlacedFacts);
    // A mount point is emptied by the undo of the copy itself.
    if (facts === null)
      return evidence([`${args.dataDirectory}: nothing that this operation placed`]);
    const found = await files.stat(args.dataDirectory);
    const lines: string[] = [];
    if (isSame(found, facts.identity)) {
      await assertStopped(args.dataDirectory, context);
      // Removed under its other name: what a crash leaves half removed may lack its standby marker, and must not lie
      // where a boot starts it.
      await files.rename(args.dataDirectory, args.stagingDirectory);
      crashPoint("step:taken-out-of-place");
      lines.push(`${args.dataDirectory} removed`);
    } else if (found !== null) {
      lines.push(`${args.dataDirectory} is kept: it is not the directory that we placed`);
    }
    if (isSame(await files.stat(args.stagingDirectory), facts.identity)) {
      await files.removeTree(args.stagingDirectory, facts.identity);
    }
    if (facts.replaced !== null && (await files.stat(args.dataDirectory)) === null) {
      await files.makeDirectory(args.dataDirectory, facts.replaced.mode);
      lines.push(`${args.dataDirectory} is an empty directory again, as it was`);
    }
    await context.ledger.delete(placedKey(args));
    return evidence(lines.length > 0 ? lines : [`${args.dataDirectory} was gone already`]);
  },
};

function placedKey(args: Args): string {
  return ledgerKey.placed(args.dataDirectory);
}

async function isPlaced(args: Args, context: StepContext): Promise<boolean> {
  if (args.stagingDirectory === args.dataDirectory) {
    const tree = await ownFacts(context, ledgerKey.tree(args.dataDirectory), TreeFacts);
    return tree !== null;
  }
  const facts = await ownFacts(context, placedKey(args), PlacedFacts);
  return facts !== null && isSame(await context.files.stat(args.dataDirectory), facts.identity);
}

function isSame(found: FileStat | null, made: FileIdentity): boolean {
  return found !== null && isSameDirectory(found, made);
}

function report(args: Args): Evidence {
  return evidence([`the copy is now ${args.dataDirectory}`]);
}
