import * as z from "zod";
import type { CommandArgs, Evidence } from "#shared/domain/commands.ts";
import { incompleteMarker, promoteTrigger } from "#shared/domain/names.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { assertAsWritten, keptEdits, type FileState } from "./edited-node-files.ts";
import { evidence } from "./evidence.ts";
import { hbaMarker, insertRules, joinsLines } from "#shared/config-files/hba-access.ts";
import { ledgerKey } from "./ledger-keys.ts";
import {
  demandSecret,
  haModuleFor,
  recoveryConfFor,
  standbySettingsFor,
} from "./node-file-texts.ts";
import { makeOwnDirectory, ownDirectories, removeOwnDirectory } from "./own-directory.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { ownFiles, undoOwnFile, writeOwnFile } from "./own-file.ts";
import { plannedHash } from "./planned-file.ts";
import { autoConfFor, hasSetting, serverConfFor, type WantedSetting } from "./server-settings.ts";
import { serverLogName } from "./server-start.ts";
import { copiedVersion, standbyMarkerFile, standbyStyleOf } from "./standby-marker.ts";
import type { ChangeStep } from "./step.ts";

type Args = CommandArgs<"write-node-files">;

const NodeFilesFacts = z.object({
  /** Paths where they will be for good (the staging directory is renamed later), with hashes. */
  files: z.array(z.object({ path: z.string(), hash: z.string() })),
});

/**
 * Everything that makes the copy this node and not its source, from the cluster's model; nothing is taken from another
 * node's files but what came with the copy itself. Inside the staging directory edits need no ledger: that tree is
 * ours as a whole. Whatever lies outside is noted before it is written.
 */
export const writeNodeFiles: ChangeStep<"write-node-files"> = {
  check: async (args, context) => {
    const known = await knownFiles(args, context);
    if (known === null) return null;
    const states = await fileStates(known, args, context);
    const kept = await keptEdits(states, args, context);
    return kept === null ? null : result(known, kept, args, context);
  },
  apply: async (args, context) => {
    const staging = args.stagingDirectory;
    const marker = await context.files.stat(`${staging}/${incompleteMarker}`);
    if (marker === null) {
      throw new Failure(
        "REFUSED",
        `${staging} has no ${incompleteMarker}: it is no finished copy of ours`,
        {
          hint: "The base backup must have ended first.",
        },
      );
    }
    const files: { path: string; hash: string }[] = [];
    const inside = async (path: string, text: string, mode?: number): Promise<void> => {
      const hash = await context.files.replace(`${staging}/${path}`, text, mode);
      files.push({ path: `${args.node.paths.dataDirectory}/${path}`, hash });
    };
    const outside = async (path: string, text: string, mode: number): Promise<void> => {
      const planned = plannedHash(args.planned, path);
      const hash = await writeOwnFile(context, "node-files", { path, text, mode }, planned);
      files.push({ path, hash });
    };
    await removeLeftovers(args, context);
    await writeStandbyFiles(args, context, inside);
    const conf = await writeConfInside(args, context, inside);
    await writeOutside(args, context, outside);
    await writeVendorFiles(args, context, outside, conf);
    for (const directory of args.directories) {
      // The vendor's installer makes its directories group-writable.
      await makeOwnDirectory(context, directory, 0o775);
    }
    await noteOwn(context, ledgerKey.nodeFiles(staging), { files });
  },
  verify: verifyFiles,
  undo: async (args, context) => {
    const lines: string[] = [];
    for (const path of await ownFiles(context, "node-files")) {
      // Files below the data directory go with the tree.
      lines.push(await undoOwnFile(context, path));
    }
    for (const directory of await ownDirectories(context)) {
      const line = await removeOwnDirectory(context, directory);
      if (line !== null) lines.push(line);
    }
    await context.ledger.delete(ledgerKey.nodeFiles(args.stagingDirectory));
    return evidence(lines.length > 0 ? lines : ["no file outside the data directory was ours"]);
  },
};

type WriteInside = (path: string, text: string, mode?: number) => Promise<void>;
type WriteOutside = (path: string, text: string, mode: number) => Promise<void>;

/** What a copied directory has of its source's life. backup_label stays: recovery begins with it. */
export async function removeLeftovers(
  { stagingDirectory }: Pick<Args, "stagingDirectory">,
  context: StepContext,
): Promise<void> {
  const { pid } = context.product.files;
  const leftovers = [
    pid,
    pid.replace(/\.pid$/, ".opts"),
    "postmaster.pid",
    "postmaster.opts",
    "recovery.done",
    "recovery.signal",
    "standby.signal",
    "recovery.conf",
    "backup_label.old",
    "tablespace_map.old",
    serverLogName,
    promoteTrigger,
  ];
  const style = await standbyStyleOf(stagingDirectory, context);
  for (const name of new Set(leftovers)) {
    // Our own marker is replaced, never missing: a mount point holds the data directory already.
    if (name === standbyMarkerFile(style)) continue;
    await context.files.remove(`${stagingDirectory}/${name}`);
  }
}

async function writeStandbyFiles(
  args: Args,
  context: StepContext,
  write: WriteInside,
): Promise<void> {
  const { product, files } = context;
  const style = await standbyStyleOf(args.stagingDirectory, context);
  const password = await demandSecret("replication", context);
  const autoConf = await files.read(`${args.stagingDirectory}/${product.files.autoConf}`);
  const hasSignal = style === "standby-signal";
  const standby = hasSignal ? standbySettingsFor(args, product, password) : [];
  const text = autoConfFor(autoConf?.text ?? "", args.settings, standby);
  await write(product.files.autoConf, text, 0o600);
  const marker = hasSignal ? "" : recoveryConfFor(args, product, password);
  await write(standbyMarkerFile(style), marker, 0o600);
}

/** Answers the server's configuration where it lies inside the data directory. */
async function writeConfInside(
  args: Args,
  context: StepContext,
  write: WriteInside,
): Promise<string | null> {
  const { paths } = args.node;
  const conf = insideName(paths.configFile, args);
  let confText: string | null = null;
  if (conf !== null) {
    confText = serverConfFor(await readCopied(conf, args, context), settingsFor(args));
    await write(conf, confText);
  }
  const hba = insideName(paths.hbaFile, args);
  if (hba !== null) {
    await write(hba, await withRules(await readCopied(hba, args, context), args, context));
  }
  return confText;
}

/** Debian's layout: configuration elsewhere, made from the like node's, pointing to this node's own places. */
async function writeOutside(args: Args, context: StepContext, write: WriteOutside): Promise<void> {
  const { paths } = args.node;
  for (const file of args.outsideFiles) {
    let text = file.text;
    if (file.path === paths.configFile) {
      text = serverConfFor(text, [
        { name: "data_directory", value: paths.dataDirectory },
        { name: "hba_file", value: paths.hbaFile },
        { name: "ident_file", value: paths.identFile },
        ...settingsFor(args),
      ]);
    } else if (file.path === paths.hbaFile) {
      text = await withRules(text, args, context);
    }
    await write(file.path, text, file.mode);
  }
}

async function writeVendorFiles(
  args: Args,
  context: StepContext,
  write: WriteOutside,
  confText: string | null,
): Promise<void> {
  const { vendor } = context.product;
  const { paths, pool } = args.node;
  if (vendor === null || paths.root === null) return;
  const password = await demandSecret("replication", context);
  const template = recoveryConfFor(args, context.product, password);
  await write(vendor.recoveryTemplate(paths.root), template, 0o600);
  if (confText !== null) await write(vendor.confTemplate(paths.root), confText, 0o600);
  if (args.haModule === null) return;
  const haModule = await haModuleFor(args.haModule, context);
  for (const path of vendor.haModuleFiles(paths, pool)) await write(path, haModule, 0o600);
}

/** A standby ignores the list, but a promotion makes it live: the product keeps it commented on standbys. */
function settingsFor(args: Args): readonly WantedSetting[] {
  const named = args.settings.some(({ name }) => name === "synchronous_standby_names");
  return named
    ? args.settings
    : [...args.settings, { name: "synchronous_standby_names", value: null }];
}

async function withRules(text: string, args: Args, context: StepContext): Promise<string> {
  const version = await copiedVersion(args.stagingDirectory, context);
  const options = { continuations: joinsLines(version) };
  return insertRules(text, args.hbaRules, hbaMarker(context.operationId), options);
}

async function readCopied(name: string, args: Args, context: StepContext): Promise<string> {
  const file = await context.files.read(`${args.stagingDirectory}/${name}`);
  if (file !== null) return file.text;
  throw new Failure("NOT_FOUND", `the copy has no ${name}`, {
    hint: "On the source it lies elsewhere: correct the paths of both nodes in the declaration.",
  });
}

/** The path relative to the data directory; null where the file lies outside of it. */
function insideName(path: string, args: Args): string | null {
  const prefix = `${args.node.paths.dataDirectory}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : null;
}

type Known = z.infer<typeof NodeFilesFacts> & { readonly at: number };

async function knownFiles(args: Args, context: StepContext): Promise<Known | null> {
  const key = ledgerKey.nodeFiles(args.stagingDirectory);
  const facts = await ownFacts(context, key, NodeFilesFacts);
  const entry = await context.ledger.get(key);
  return facts === null || entry === null ? null : { ...facts, at: entry.at };
}

async function verifyFiles(args: Args, context: StepContext): Promise<Evidence> {
  const known = await knownFiles(args, context);
  if (known === null) {
    throw new Failure("VERIFICATION_FAILED", "the node's files were not all written", {
      retryable: true,
    });
  }
  const states = await fileStates(known, args, context);
  assertAsWritten(states.filter(({ state }) => state !== "as-written"));
  return result(known, [], args, context);
}

/** Each file where it is now: in the staging directory until that has been put into place. */
async function fileStates(
  { at: writtenAt, files }: Known,
  args: Args,
  context: StepContext,
): Promise<readonly FileState[]> {
  const placed = (await context.files.stat(args.stagingDirectory)) === null;
  const inside = `${args.node.paths.dataDirectory}/`;
  const states: FileState[] = [];
  for (const { path, hash } of files) {
    const isStaged = !placed && path.startsWith(inside);
    const at = isStaged ? `${args.stagingDirectory}/${path.slice(inside.length)}` : path;
    const found = await context.files.read(at);
    const state =
      found === null
        ? "missing"
        : found.hash === hash
          ? "as-written"
          : found.modifiedAt > writtenAt
            ? "edited"
            : "damaged";
    states.push({ path, at, isStaged, state });
  }
  return states;
}

async function result(
  known: Known,
  kept: readonly FileState[],
  args: Args,
  context: StepContext,
): Promise<Evidence> {
  const { vendor } = context.product;
  const notes: string[] = [];
  if (vendor !== null && args.node.paths.root !== null) {
    const template = await context.files.read(vendor.confTemplate(args.node.paths.root));
    // The vendor's recovery refuses a template without that word (build B0290).
    if (template !== null && !hasSetting(template.text, "hot_standby")) {
      notes.push(`${vendor.confTemplate(args.node.paths.root)} has no hot_standby setting`);
    }
  }
  const edited = new Set(kept.map(({ path }) => path));
  const lines = known.files.map(({ path }) =>
    edited.has(path) ? `${path} was edited since it was written: kept as it is` : `${path} written`,
  );
  // An edit of a person's is not accepted here: it stays drift until somebody looks at it.
  const files = known.files.filter(({ path }) => !edited.has(path));
  return evidence([...lines, ...notes], { files });
}
