import * as z from "zod";
import type { CommandArgs, Evidence } from "#shared/domain/commands.ts";
import { unreadHash } from "#shared/domain/facts.ts";
import { Failure } from "#shared/errors.ts";
import type { FileAttributes, FileSnapshot, StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { reloadFor } from "./reload-for-file.ts";
import type { ChangeStep } from "./step.ts";
import { withoutContent } from "./without-content.ts";

type Args = CommandArgs<"restore-file">;

const RestoreFacts = z.object({
  /** What stood there; null: nothing. Its bytes are among the kept versions. */
  previous: z.object({ hash: z.string(), mode: z.int(), uid: z.int(), gid: z.int() }).nullable(),
  reloaded: z.boolean(),
});

/**
 * A watched file back to a version that this host has kept. No evidence names the file: what it becomes is accepted
 * already, and what an undo brings back is drift again.
 */
export const restoreFile: ChangeStep<"restore-file"> = {
  check: async (args, context) => {
    await assertWatched(args, context);
    return step.check(args, suited(args, context));
  },
  apply: (args, context) => step.apply(args, suited(args, context)),
  verify: (args, context) => step.verify(args, suited(args, context)),
  undo: (args, context) => step.undo(args, suited(args, context)),
};

function suited({ format }: Args, context: StepContext): StepContext {
  return format === "pass" ? { ...context, files: withoutContent(context.files) } : context;
}

const step: ChangeStep<"restore-file"> = {
  check: async (args, context) => {
    const found = await context.files.read(args.path);
    if (!isAt(found, args)) return null;
    const ours = await ownFacts(context, keyOf(args), RestoreFacts);
    // It may be written and the reload not yet asked for.
    if (ours?.reloaded === false) return null;
    return report(args, await reloadFor(args, context, { tell: false }), ours === null);
  },
  apply: async (args, context) => {
    const found = await context.files.read(args.path);
    if (!isAt(found, args)) {
      if ((found?.hash ?? null) !== args.from) throw changedSince(args, found);
      const to = args.to.hash === null ? null : await wanted(args, args.to.hash, context);
      if (found !== null) await context.files.versions.keep(args.path, found);
      const previous = found === null ? null : { hash: found.hash, ...attributesOf(found) };
      await noteOwn(context, keyOf(args), { previous, reloaded: false });
      await context.files.restore(args.path, to, args.from);
    }
    await reloadAndNote(args, context);
  },
  verify: async (args, context) => {
    const found = await context.files.read(args.path);
    if (!isAt(found, args)) {
      throw new Failure("VERIFICATION_FAILED", `${args.path} is not what was written`, {
        evidence: [`found sha256 ${found?.hash ?? "none"}, wanted ${args.to.hash ?? "none"}`],
      });
    }
    return report(args, await reloadFor(args, context, { tell: false }), false);
  },
  undo: async (args, context) => {
    const ours = await ownFacts(context, keyOf(args), RestoreFacts);
    if (ours === null)
      return evidence([`${args.path}: not of this operation`], { alreadyDone: true });
    const found = await context.files.read(args.path);
    const { previous } = ours;
    const lines: string[] = [];
    if ((found?.hash ?? null) === (previous?.hash ?? null) && hasAttributes(found, previous)) {
      lines.push(`${args.path} is as it was before`);
    } else if ((found?.hash ?? null) === args.to.hash) {
      const kept = previous === null ? null : await keptVersion(args.path, previous.hash, context);
      const to =
        kept === null || previous === null ? null : { text: kept.text, ...attributesOf(previous) };
      await context.files.restore(args.path, to, args.to.hash);
      lines.push(previous === null ? `${args.path} removed` : `${args.path} as it was before`);
    } else {
      lines.push(`${args.path} is kept: it was changed after we wrote it`);
    }
    lines.push(...(await reloadFor(args, context, { tell: true })));
    await context.ledger.delete(keyOf(args));
    return evidence(lines);
  },
};

/** The bytes that were accepted, with the mode and owner that were. */
async function wanted(
  { path, to }: Args,
  hash: string,
  context: StepContext,
): Promise<FileAttributes & { readonly text: string }> {
  const kept = await keptVersion(path, hash, context);
  const [uid, gid] = (to.owner ?? `${kept.uid}:${kept.gid}`).split(":").map(Number);
  return {
    text: kept.text,
    mode: to.mode ?? kept.mode,
    uid: uid ?? kept.uid,
    gid: gid ?? kept.gid,
  };
}

async function keptVersion(
  path: string,
  hash: string,
  { files, settings }: StepContext,
): Promise<FileSnapshot> {
  const kept = await files.versions.find(path, hash);
  if (kept !== null) return kept;
  throw new Failure("RESOURCE_MISSING", `${settings.node} has not kept sha256 ${hash.slice(0, 12)} of ${path}`, {
    hint: "It was accepted before this agent saw it, or its state directory was lost. Mend the file by hand, or accept it as it is.",
  }); // prettier-ignore
}

/** Only what this host itself watches, and as it watches it: asked for otherwise, a password file would be read. */
async function assertWatched(
  { path, format, from, to }: Args,
  context: StepContext,
): Promise<void> {
  const { product, settings, files, home } = context;
  const own = product.watchedFiles(settings.paths, settings.pool, home);
  if (own.some((file) => file.path === path && file.format === format)) return;
  for (const hash of [from, to.hash]) {
    if (hash !== null && (await files.versions.find(path, hash)) !== null) return;
  }
  throw new Failure("REFUSED", `${path} is not watched on ${settings.node}`, {
    hint:
      format === "pass"
        ? `Of the password files only those in the user's home can be put back. By hand: chmod 0600 ${path}`
        : "Only what the agent has kept versions of can be put back.",
  });
}

function isAt(found: FileSnapshot | null, { to }: Args): boolean {
  if (found === null || to.hash === null) return found === null && to.hash === null;
  return (
    found.hash === to.hash &&
    (to.mode === null || (found.mode & 0o7777) === to.mode) &&
    (to.owner === null || `${found.uid}:${found.gid}` === to.owner)
  );
}

function hasAttributes(
  found: FileSnapshot | null,
  wantedAttributes: FileAttributes | null,
): boolean {
  if (found === null || wantedAttributes === null)
    return found === null && wantedAttributes === null;
  const { mode, uid, gid } = wantedAttributes;
  return (found.mode & 0o7777) === (mode & 0o7777) && found.uid === uid && found.gid === gid;
}

function attributesOf({ mode, uid, gid }: FileAttributes): FileAttributes {
  return { mode: mode & 0o7777, uid, gid };
}

async function reloadAndNote(args: Args, context: StepContext): Promise<void> {
  await reloadFor(args, context, { tell: true });
  const ours = await ownFacts(context, keyOf(args), RestoreFacts);
  if (ours !== null) await noteOwn(context, keyOf(args), { ...ours, reloaded: true });
}

function changedSince({ path, from }: Args, found: FileSnapshot | null): Failure {
  const words = (hash: string | null): string => (hash === null ? "none" : hash.slice(0, 12));
  return new Failure("REFUSED", `${path} has changed since it was shown: that was sha256 ${words(from)}, now it is ${words(found?.hash ?? null)}`, {
    hint: `Nothing was written. Look at it as it is now: castellan drift list`,
  }); // prettier-ignore
}

function report({ path, to }: Args, reloaded: readonly string[], alreadyDone: boolean): Evidence {
  const what =
    to.hash === unreadHash
      ? `mode ${(to.mode ?? 0).toString(8).padStart(4, "0")}, owner ${to.owner ?? "?"}`
      : `sha256 ${to.hash?.slice(0, 12) ?? ""}`;
  const line = to.hash === null ? `${path} is not there` : `${path} is as accepted (${what})`;
  return evidence([line, ...reloaded], { alreadyDone });
}

function keyOf({ path }: Args): string {
  return ledgerKey.restored(path);
}
