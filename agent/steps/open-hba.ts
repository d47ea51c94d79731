import * as z from "zod";
import type { CommandArgs, Evidence } from "#shared/domain/commands.ts";
import { parseHba } from "#shared/config-files/hba.ts";
import { Failure } from "#shared/errors.ts";
import type { FileSnapshot, StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import {
  hbaMarker,
  insertRules,
  joinsLines,
  judgeRules,
  takeOutRules,
  type HbaOptions,
  type HbaVerdict,
} from "#shared/config-files/hba-access.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { assertOwnPlace } from "./own-place.ts";
import { ownDialect, ownVersion } from "./own-dialect.ts";
import { keptEdits } from "./planned-file.ts";
import { hashOf } from "./own-file.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { reloadIfRunning, reloadServer } from "./reload-server.ts";
import { text } from "./row-values.ts";
import type { ChangeStep } from "./step.ts";

type Args = CommandArgs<"open-hba">;

const HbaFacts = z.object({
  previousHash: z.string(),
  writtenHash: z.string(),
  reloaded: z.boolean(),
});

/**
 * Lines for the new node in an existing node's hba file, under a comment that names the operation: undo finds
 * exactly these, whatever a person did to the file meanwhile. Logins that work already get no line.
 */
export const openHba: ChangeStep<"open-hba"> = {
  check: async (args, context) => {
    const file = await readHba(args, context);
    const verdicts = judgeRules(file.text, args.rules, await optionsOf(context));
    if (verdicts.some((verdict) => !verdict.works)) return null;
    const ours = await ownFacts(context, keyOf(args, context), HbaFacts);
    // The lines may be written and the reload not yet asked for.
    return ours?.reloaded === false ? null : report(args, file, verdicts, ours);
  },
  apply: async (args, context) => {
    const file = await readHba(args, context);
    await assertReadable(args, file, context);
    const edited = insertRules(
      file.text,
      args.rules,
      hbaMarker(context.operationId),
      await optionsOf(context),
    );
    const before = await ownFacts(context, keyOf(args, context), HbaFacts);
    if (edited !== file.text) {
      const facts = { previousHash: file.hash, writtenHash: hashOf(edited), reloaded: false };
      await noteOwn(context, keyOf(args, context), facts);
      await context.files.replace(args.file, edited, undefined, file.hash);
    } else if (before === null) {
      return;
    }
    await reloadServer(context);
    const facts = await ownFacts(context, keyOf(args, context), HbaFacts);
    if (facts !== null) await noteOwn(context, keyOf(args, context), { ...facts, reloaded: true });
  },
  verify: async (args, context) => {
    const file = await readHba(args, context);
    const verdicts = judgeRules(file.text, args.rules, await optionsOf(context));
    const broken = verdicts.filter((verdict) => !verdict.works);
    if (broken.length > 0) {
      throw new Failure("VERIFICATION_FAILED", `${args.file} does not admit the new node`, {
        hint: "Look at these lines: the first one that matches a login decides about it.",
        evidence: broken.map(describe),
      });
    }
    await assertServerReadsIt(args, context);
    const ours = await ownFacts(context, keyOf(args, context), HbaFacts);
    return report(args, file, verdicts, ours);
  },
  undo: async (args, context) => {
    const key = keyOf(args, context);
    const ours = await ownFacts(context, key, HbaFacts);
    if (ours === null) return evidence([`${args.file}: no line that this operation wrote`]);
    const file = await context.files.read(args.file);
    if (file === null) {
      await context.ledger.delete(key);
      return evidence([`${args.file} is gone: nothing to take back`]);
    }
    const cleaned = takeOutRules(file.text, args.rules, hbaMarker(context.operationId));
    const lines: string[] = [];
    if (cleaned === file.text) {
      lines.push(`${args.file}: its lines were gone already`);
    } else {
      const hash = await context.files.replace(args.file, cleaned, undefined, file.hash);
      const exact = hash === ours.previousHash ? "byte for byte as before" : "other edits kept";
      lines.push(`${args.file}: lines removed, ${exact}`);
    }
    // Even where the lines were gone: an undo that was cut off may not have come to this.
    lines.push(await reloadIfRunning(context));
    await context.ledger.delete(key);
    // Without anybody's edits it would be as before: that is what is accepted.
    return evidence(lines, {
      files: [{ path: args.file, hash: ours.previousHash, from: ours.writtenHash }],
    });
  },
};

async function readHba(args: Args, context: StepContext): Promise<FileSnapshot> {
  await assertOwnPlace(args.file, [context.settings.paths.hbaFile], "hba file");
  const file = await context.files.read(args.file);
  if (file !== null) return file;
  throw new Failure("NOT_FOUND", `there is no ${args.file}`, {
    hint: "Correct paths.hbaFile in agent.yaml and in the cluster's declaration.",
  });
}

/** The server refuses the whole new file for one bad line, and goes on with the old rules without a word. */
async function assertReadable(args: Args, file: FileSnapshot, context: StepContext): Promise<void> {
  const { complaints } = parseHba(file.text, { file: args.file, ...(await optionsOf(context)) });
  if (complaints.length === 0) return;
  throw new Failure("CONFIG_INVALID", `${args.file} has lines that the server can't read`, {
    hint: "Mend them first: with them no reload takes effect.",
    evidence: complaints.map((c) => `${c.file}:${c.line}:${c.column}: ${c.message}. ${c.hint}`),
  });
}

async function assertServerReadsIt(args: Args, context: StepContext): Promise<void> {
  const { hbaProblems: query } = await ownDialect(context);
  if (query === null) return;
  const rows = await context.databases.own.query(query);
  if (rows.length === 0) return;
  throw new Failure("VERIFICATION_FAILED", `the server can't take ${args.file}`, {
    evidence: rows.map((row) => `line ${text(row, "line")}: ${text(row, "error")}`),
  });
}

function report(
  args: Args,
  file: FileSnapshot,
  verdicts: readonly HbaVerdict[],
  ours: z.infer<typeof HbaFacts> | null,
): Evidence {
  const files =
    ours === null ? [] : [{ path: args.file, hash: ours.writtenHash, from: ours.previousHash }];
  const kept = keptEdits(args.planned, args.file, ours?.previousHash ?? file.hash);
  return evidence([...verdicts.map(describe), ...kept], { alreadyDone: ours === null, files });
}

function describe({ rule, match }: HbaVerdict): string {
  const login = `${rule.database} ${rule.user} ${rule.address}`;
  if (match === null) return `${login}: no line matches`;
  const why = match.undecidable === null ? "" : ` (${match.undecidable})`;
  return `${login}: line ${match.line} decides, ${match.rule?.method ?? "unknown"}${why}`;
}

function keyOf(args: Args, context: StepContext): string {
  return ledgerKey.hba(args.file, context.operationId);
}

async function optionsOf(context: StepContext): Promise<HbaOptions> {
  return { continuations: joinsLines(await ownVersion(context)) };
}
