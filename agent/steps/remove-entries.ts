import * as z from "zod";
import { hbaMarker } from "#shared/config-files/hba-access.ts";
import { withoutNode } from "#shared/config-files/without-node.ts";
import type { CommandArgs, Evidence, NodeEntry } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import { openPcp } from "../adapters/pcp.ts";
import type { FileSnapshot, StepContext } from "../ports.ts";
import { editedFile, restoredFile } from "./edited-file.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { hashOf } from "./own-file.ts";
import { assertOwnPlace } from "./own-place.ts";
import { keptEdits } from "./planned-file.ts";
import { readPoolConf, runningPool } from "./pool-place.ts";
import { reloadPool } from "./reload-pool.ts";
import { reloadIfRunning } from "./reload-server.ts";
import type { ChangeStep } from "./step.ts";

type Args = CommandArgs<"remove-entries">;

const RemovedFacts = z.object({
  hashBefore: z.string(),
  hashAfter: z.string(),
  /** Whatever reads the file was told. */
  reloaded: z.boolean(),
});

/** All files are looked at before the first is edited: a broken one stops us with nothing changed. */
export const removeEntries: ChangeStep<"remove-entries"> = {
  check: async (args, context) => {
    for (const entry of args.entries) {
      const { text } = await mustRead(entry, context);
      const own = await factsOf(entry, context);
      if (edited(text, entry) !== text || own?.reloaded === false) return null;
    }
    return report(args, context);
  },
  apply: async (args, context) => {
    for (const entry of args.entries) edited((await mustRead(entry, context)).text, entry);
    for (const entry of args.entries) {
      const snapshot = await mustRead(entry, context);
      const text = edited(snapshot.text, entry);
      if (text !== snapshot.text) {
        await context.files.versions.keep(entry.file, snapshot);
        const facts = { hashBefore: snapshot.hash, hashAfter: hashOf(text), reloaded: false };
        await noteOwn(context, keyOf(entry), facts);
        await context.files.replace(entry.file, text, undefined, snapshot.hash);
      }
      const own = await factsOf(entry, context);
      if (own === null || own.reloaded) continue;
      if (entry.of === "hba") await forgetAdditions(entry.file, text, context);
      await reload(entry, context);
      await noteOwn(context, keyOf(entry), { ...own, reloaded: true });
    }
  },
  verify: async (args, context) => {
    for (const entry of args.entries) {
      const { text } = await mustRead(entry, context);
      if (edited(text, entry) === text) continue;
      throw new Failure("VERIFICATION_FAILED", `${entry.file} still names the node`, {
        hint: "Somebody put it back meanwhile: tried again, it is taken out again.",
        retryable: true,
      });
    }
    return report(args, context);
  },
  undo: async (args, context) => {
    const lines: string[] = [];
    const files: Evidence["files"] = [];
    for (const entry of args.entries.toReversed()) {
      const own = await factsOf(entry, context);
      if (own === null) continue;
      await putBack(entry, own, context);
      crashPoint("step:entries-back");
      lines.push(`${entry.file} is byte for byte as it was before`, await reload(entry, context));
      files.push(...restoredFile(entry.file, own));
      await context.ledger.delete(keyOf(entry));
    }
    return evidence(lines, { files, alreadyDone: lines.length === 0 });
  },
};

/** What an addition noted for its undo, of lines that are gone: it is over, or there would be no removal. */
async function forgetAdditions(file: string, text: string, { ledger }: StepContext): Promise<void> {
  for (const { key, entry } of await ledger.list(ledgerKey.hba(file, ""))) {
    if (!text.includes(hbaMarker(entry.operationId))) await ledger.delete(key);
  }
}

async function putBack(
  { file }: NodeEntry,
  { hashBefore, hashAfter }: z.infer<typeof RemovedFacts>,
  { files }: StepContext,
): Promise<void> {
  const found = await files.read(file);
  if (found?.hash === hashBefore) return;
  const kept = await files.versions.find(file, hashBefore);
  if (found?.hash === hashAfter && kept !== null) {
    await files.replace(file, kept.text, undefined, hashAfter);
    return;
  }
  throw new Failure("REFUSED", `${file} was edited since the node was taken out of it`, {
    hint: `Put the node's lines back by hand: the file of before has sha256 ${hashBefore.slice(0, 12)} below previous/ in the agent's state directory.`,
  });
}

async function mustRead(entry: NodeEntry, context: StepContext): Promise<FileSnapshot> {
  const { paths, pool } = context.settings;
  if (entry.of === "hba") await assertOwnPlace(entry.file, [paths.hbaFile], "hba file");
  if (entry.of === "pool") {
    await assertOwnPlace(entry.file, [pool?.configFile ?? null], "pool configuration");
  }
  const file = await context.files.read(entry.file);
  if (file !== null) return file;
  throw new Failure("NOT_FOUND", `there is no ${entry.file}`, {
    hint: "Correct its path in agent.yaml and in the cluster's declaration.",
  });
}

function edited(text: string, entry: NodeEntry): string {
  try {
    return withoutNode(text, entry);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new Failure("CONFIG_INVALID", `${entry.file}: ${error.message}`, { cause: error });
  }
}

/** The vendor's scripts read HAmodule.conf at each start. A running pool keeps a row until its next restart. */
async function reload(entry: NodeEntry, context: StepContext): Promise<string> {
  switch (entry.of) {
    case "hba":
      return reloadIfRunning(context);
    case "ha-lists":
      return "no reload is needed";
    case "pool": {
      const { conf } = await readPoolConf(entry.file, context);
      const parent = await runningPool(conf, context);
      if (parent === null) return "no pool runs here: it reads the file when it is started";
      await using pcp = await openPcp(context);
      return reloadPool(parent, pcp, context);
    }
  }
}

async function report(args: Args, context: StepContext): Promise<Evidence> {
  const lines: string[] = [];
  const files: Evidence["files"] = [];
  for (const entry of args.entries) {
    const own = await factsOf(entry, context);
    lines.push(own === null ? `${entry.file} did not name it` : printEdit(entry));
    if (own !== null) lines.push(...keptEdits(args.planned, entry.file, own.hashBefore));
    files.push(...editedFile(entry.file, own));
  }
  return evidence(lines, { files, alreadyDone: files.length === 0 });
}

function printEdit(entry: NodeEntry): string {
  if (entry.of !== "pool") return `${entry.file} does not name it any more`;
  const { id } = entry.row;
  return entry.isSpare
    ? `${entry.file} keeps backend ${id} as a spare row: a higher number is in use`
    : `backend ${id} is out of ${entry.file}; the running pool keeps it, down, until its next restart`;
}

function factsOf(entry: NodeEntry, context: StepContext) {
  return ownFacts(context, keyOf(entry), RemovedFacts);
}

function keyOf({ file }: NodeEntry): string {
  return ledgerKey.withoutNode(file);
}
