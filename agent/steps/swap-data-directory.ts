import * as z from "zod";
import { ChangedFile } from "#shared/domain/changed-file.ts";
import { incompleteMarker, oldDirectoryFor, stagingDirectoryFor } from "#shared/domain/names.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { isSameDirectory } from "../decide/directory-identity.ts";
import { StoredMarks } from "../guard/marks.ts";
import type { FileIdentity, StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { KeptFacts } from "./keep-own-files.ts";
import { MadeDirectory, TreeFacts } from "./own-directory.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { assertStopped } from "./postmaster.ts";
import { assureStopped } from "./stop-standby.ts";
import type { ChangeStep } from "./step.ts";

const LedgerEntry = z.object({
  operationId: z.string(),
  at: z.number(),
  facts: z.record(z.string(), z.unknown()),
});

const SwapFacts = z.object({
  copy: MadeDirectory,
  /** Set aside until its successor is proved; null where there was none. */
  old: MadeDirectory.nullable(),
  /** What was known of the old one alone: watched files, the guard's marks, slots and rejoins in the ledger. */
  files: z.array(ChangedFile),
  marks: StoredMarks,
  entries: z.array(z.object({ key: z.string(), entry: LedgerEntry })),
  /** All that is forgotten, too. */
  isDone: z.boolean(),
});
type SwapFacts = z.infer<typeof SwapFacts>;

const stallMs = 120_000;

/**
 * Two renames. Between them there is no data directory, so nothing can be started; before and after, whatever stands
 * there is whole, and is a standby.
 */
export const swapDataDirectory: ChangeStep<"swap-data-directory"> = {
  check: async (_args, context) => {
    const facts = await swapped(context);
    const isThere = facts !== null && facts.isDone && (await isAt(placesOf(context).data, facts.copy, context)); // prettier-ignore
    return isThere ? report(facts, context) : null;
  },
  apply: async (_args, context) => {
    const { files, guardMarks, ledger } = context;
    const { copy, data, old } = placesOf(context);
    const facts = (await swapped(context)) ?? (await noteSwap(context));
    if (facts.old !== null && (await isAt(data, facts.old, context))) {
      // The coordinator may have been away, and the guard have started it meanwhile.
      await assureStopped(stallMs, context);
      await files.rename(data, old);
      crashPoint("step:old-directory-aside");
    }
    if (!(await isAt(data, facts.copy, context))) {
      await assertFree(data, context);
      await files.rename(copy, data);
      crashPoint("step:copy-in-place");
    }
    for (const { key } of facts.entries) await ledger.delete(key);
    await guardMarks.mark(ofOldDirectory);
    await noteOwn(context, keyOf(context), { ...facts, isDone: true });
  },
  verify: async (_args, context) => {
    const facts = await swapped(context);
    if (facts !== null && (await isAt(placesOf(context).data, facts.copy, context))) return report(facts, context); // prettier-ignore
    throw new Failure("VERIFICATION_FAILED", `${placesOf(context).data} is not the copy`, { retryable: true }); // prettier-ignore
  },
  undo: async (_args, context) => {
    const { files, guardMarks, ledger } = context;
    const { copy, data, old } = placesOf(context);
    const facts = await swapped(context);
    if (facts === null) return evidence(["the data directory is the one that it was"]);
    if (await isAt(data, facts.copy, context)) {
      await assertStopped(data, context);
      await files.rename(data, copy);
      crashPoint("step:copy-taken-out");
    }
    // Before it is back: that it was a primary is what keeps it from opening as one.
    for (const { key } of await ledger.list(ledgerKey.slot(""))) await ledger.delete(key);
    for (const { key, entry } of facts.entries) await ledger.put(key, entry);
    const { diverged, fencedAt, needsRebuild, rejoiningSince, wasPrimary } = facts.marks;
    await guardMarks.mark({ diverged, fencedAt, needsRebuild, rejoiningSince, wasPrimary });
    if (facts.old !== null && !(await isAt(data, facts.old, context))) {
      await assertFree(data, context);
      await files.rename(old, data);
      crashPoint("step:old-directory-back");
    }
    await ledger.delete(keyOf(context));
    const line = facts.old === null ? `${data} is gone, as before` : `${data} is the one that it was`; // prettier-ignore
    return evidence([line]);
  },
};

/** What this operation has set aside; null before, and when all is over. */
export async function swapped(context: StepContext): Promise<SwapFacts | null> {
  return ownFacts(context, keyOf(context), SwapFacts);
}

export async function forgetSwap(context: StepContext): Promise<void> {
  await context.ledger.delete(keyOf(context));
}

/** None of it is true of a copy of the primary. */
const ofOldDirectory = {
  diverged: null,
  fencedAt: null,
  needsRebuild: null,
  rejoiningSince: null,
  wasPrimary: null,
} as const;

async function noteSwap(context: StepContext): Promise<SwapFacts> {
  const { files, guardMarks, ledger } = context;
  const { copy, data, old } = placesOf(context);
  const tree = await ownFacts(context, ledgerKey.tree(copy), TreeFacts);
  const made = tree?.identity ?? null;
  const isFinished = (await files.stat(`${copy}/${incompleteMarker}`)) !== null;
  if (made === null || !isFinished || !(await isAt(copy, made, context))) {
    throw new Failure("REFUSED", `${copy} is not the finished copy of this operation`);
  }
  await assertFree(old, context);
  const found = await files.stat(data);
  const rejoin = await ledger.get(ledgerKey.rejoin(data));
  const facts: SwapFacts = {
    copy: made,
    old: found === null ? null : identityOf(found),
    files: await changedFiles(context),
    marks: guardMarks.current(),
    entries: [
      ...(await ledger.list(ledgerKey.slot(""))),
      ...(rejoin === null ? [] : [{ key: ledgerKey.rejoin(data), entry: rejoin }]),
    ],
    isDone: false,
  };
  await noteOwn(context, keyOf(context), facts);
  return facts;
}

/** Watched ones, under their final names. */
async function changedFiles(context: StepContext): Promise<ChangedFile[]> {
  const { files, home, product, settings } = context;
  const { copy, data } = placesOf(context);
  const kept = await ownFacts(context, ledgerKey.nodeFiles(copy), KeptFacts);
  const restored = new Map(kept?.restored.map(({ path, hash }) => [path, hash]));
  const changed: ChangedFile[] = [];
  for (const { path } of product.watchedFiles(settings.paths, null, home)) {
    if (!path.startsWith(`${data}/`)) continue;
    const from = (await files.read(path))?.hash ?? restored.get(path) ?? null;
    const hash = (await files.read(`${copy}${path.slice(data.length)}`))?.hash ?? null;
    if (hash !== from) changed.push({ path, hash, from });
  }
  return changed;
}

async function assertFree(path: string, { files }: StepContext): Promise<void> {
  if ((await files.stat(path)) === null) return;
  throw new Failure("ALREADY_EXISTS", `${path} is there, and is none of this operation's`, {
    hint: "Nothing in it was touched. Move it away.",
  });
}

async function isAt(path: string, made: FileIdentity, { files }: StepContext): Promise<boolean> {
  const found = await files.stat(path);
  return found !== null && isSameDirectory(found, made);
}

function identityOf({ device, inode, bornNs }: FileIdentity): FileIdentity {
  return { device, inode, bornNs };
}

function placesOf({ settings }: StepContext) {
  const data = settings.paths.dataDirectory;
  return { data, copy: stagingDirectoryFor(data), old: oldDirectoryFor(data) };
}

function keyOf({ settings }: StepContext): string {
  return ledgerKey.swapped(settings.paths.dataDirectory);
}

function report({ files, old }: SwapFacts, context: StepContext) {
  const places = placesOf(context);
  const aside = old === null ? "there was none before" : `the one before is kept in ${places.old}`;
  return evidence([`the copy is now ${places.data}; ${aside}`], { files });
}
