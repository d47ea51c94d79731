import * as z from "zod";
import { hbaMarker, insertRules, joinsLines } from "#shared/config-files/hba-access.ts";
import { ChangedFile } from "#shared/domain/changed-file.ts";
import type { CommandArgs } from "#shared/domain/commands.ts";
import { incompleteMarker, stagingDirectoryFor } from "#shared/domain/names.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { writeFollowing } from "../guard/rejoin/follow.ts";
import { keptFiles } from "../guard/rejoin/kept-files.ts";
import { copyOwnFiles } from "../guard/rejoin/own-files.ts";
import type { Files, StepContext } from "../ports.ts";
import { asGuardStep } from "./as-guard-step.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { ownFiles, undoOwnFile, writeOwnFile } from "./own-file.ts";
import { autoConfFor, serverConfFor } from "./server-settings.ts";
import { copiedVersion } from "./standby-marker.ts";
import type { ChangeStep } from "./step.ts";
import { removeLeftovers } from "./write-node-files.ts";

type Args = CommandArgs<"keep-own-files">;

export const KeptFacts = z.object({
  /** Names below the data directory that come from the one before. */
  kept: z.array(z.string()),
  /** Files that were missing there, by the version that was accepted last. */
  restored: z.array(z.object({ path: z.string(), hash: z.string() })),
  /** Outside of it: the vendor's template of recovery.conf. */
  files: z.array(ChangedFile),
});

/**
 * What makes the copy this node: its own configuration, hba, keys and certificates out of the data directory that it has
 * so far. What is missing there comes as it was accepted, or is made from what the copy brought. Inside the copy nothing needs a note: the whole
 * tree is this operation's.
 */
export const keepOwnFiles: ChangeStep<"keep-own-files"> = {
  check: async (_args, context) => {
    const known = await ownFacts(context, ledgerKey.nodeFiles(staging(context)), KeptFacts);
    return known === null ? null : report(known);
  },
  apply: async (args, context) => {
    const { files, settings } = context;
    const { dataDirectory } = settings.paths;
    const copy = staging(context);
    if ((await files.stat(`${copy}/${incompleteMarker}`)) === null) {
      throw new Failure("REFUSED", `${copy} has no ${incompleteMarker}: it is no finished copy of ours`); // prettier-ignore
    }
    const guard = asGuardStep(context);
    await removeLeftovers({ stagingDirectory: copy }, context);
    await copyOwnFiles(dataDirectory, copy);
    const kept = (await keptFiles(guard)).map((file) => ({
      ...file,
      name: file.path.slice(dataDirectory.length + 1),
    }));
    for (const { name, text, mode } of kept) await files.replace(`${copy}/${name}`, text, mode);
    const names = kept.map(({ name }) => name);
    const restored = await restoreAccepted(args, new Set(names), context);
    const all = [...names, ...restored.map(({ path }) => path.slice(dataDirectory.length + 1))];
    await makeMissing(args, new Set(all), context);
    crashPoint("step:own-files-kept");
    const outside: ChangedFile[] = [];
    await writeFollowing(args.upstream, { ...guard, files: outsideNoted(outside, context) }, copy);
    await noteOwn(context, ledgerKey.nodeFiles(copy), { kept: names, restored, files: outside });
  },
  verify: async (_args, context) => {
    const known = await ownFacts(context, ledgerKey.nodeFiles(staging(context)), KeptFacts);
    if (known !== null) return report(known);
    throw new Failure("VERIFICATION_FAILED", "the copy has not this node's files", { retryable: true }); // prettier-ignore
  },
  undo: async (_args, context) => {
    const lines: string[] = [];
    for (const path of await ownFiles(context, "node-files")) {
      lines.push(await undoOwnFile(context, path));
    }
    await context.ledger.delete(ledgerKey.nodeFiles(staging(context)));
    return evidence(lines.length > 0 ? lines : ["no file outside the data directory was ours"]);
  },
};

async function restoreAccepted(
  { accepted }: Args,
  kept: ReadonlySet<string>,
  context: StepContext,
): Promise<Args["accepted"]> {
  const { files, settings } = context;
  const { dataDirectory } = settings.paths;
  const restored: Args["accepted"] = [];
  for (const { path, hash } of accepted) {
    const name = path.slice(dataDirectory.length + 1);
    if (!path.startsWith(`${dataDirectory}/`) || kept.has(name)) continue;
    const version = await files.versions.find(path, hash);
    if (version === null) continue;
    await files.replace(`${staging(context)}/${name}`, version.text, version.mode);
    restored.push({ path, hash });
  }
  return restored;
}

async function makeMissing(
  { settings, hbaRules }: Args,
  kept: ReadonlySet<string>,
  context: StepContext,
): Promise<void> {
  const { files, product } = context;
  const { configFile, dataDirectory, hbaFile } = context.settings.paths;
  const copy = staging(context);
  const make = async (name: string, edit: (text: string) => string): Promise<void> => {
    if (kept.has(name)) return;
    const found = await files.read(`${copy}/${name}`);
    if (found !== null) await files.replace(`${copy}/${name}`, edit(found.text));
  };
  const inside = (path: string): string | null =>
    path.startsWith(`${dataDirectory}/`) ? path.slice(dataDirectory.length + 1) : null;
  await make(product.files.autoConf, (text) => autoConfFor(text, settings, []));
  const [conf, hba] = [inside(configFile), inside(hbaFile)];
  if (conf !== null) await make(conf, (text) => serverConfFor(text, settings));
  const options = { continuations: joinsLines(await copiedVersion(copy, context)) };
  const marker = hbaMarker(context.operationId);
  if (hba !== null) await make(hba, (text) => insertRules(text, hbaRules, marker, options));
}

/** What is written outside of the copy is noted, so that an abort brings it back. */
function outsideNoted(outside: ChangedFile[], context: StepContext): Files {
  const { files } = context;
  return {
    ...files,
    replace: async (path, text, mode = 0o600, editedHash) => {
      if (path.startsWith(`${staging(context)}/`)) return files.replace(path, text, mode, editedHash); // prettier-ignore
      const from = (await files.read(path))?.hash ?? null;
      const hash = await writeOwnFile(context, "node-files", { path, text, mode });
      outside.push({ path, hash, from });
      return hash;
    },
  };
}

function report({ kept, restored, files }: z.infer<typeof KeptFacts>) {
  const own = [
    ...(kept.length === 0 ? [] : [`kept: ${kept.join(", ")}`]),
    ...restored.map(({ path }) => `${path} as it was accepted`),
  ];
  const lines = own.length === 0 ? ["nothing of its own was left: made from the copied files"] : own; // prettier-ignore
  return evidence([...lines, ...files.map(({ path }) => `${path} written`)], { files });
}

function staging({ settings }: StepContext): string {
  return stagingDirectoryFor(settings.paths.dataDirectory);
}
