import * as z from "zod";
import type { CommandArgs, Evidence } from "#shared/domain/commands.ts";
import { haArray, parseHaModule } from "#shared/config-files/ha-module.ts";
import { appendToArray, removeFromArray } from "#shared/config-files/ha-module-edit.ts";
import { Failure } from "#shared/errors.ts";
import type { FileSnapshot, StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { editedFile, restoredFile } from "./edited-file.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import { hashOf } from "./own-file.ts";
import { assertOwnPlace } from "./own-place.ts";
import { keptEdits } from "./planned-file.ts";
import type { ChangeStep } from "./step.ts";

type Args = CommandArgs<"register-ha-lists">;

/** What we put into one copy: only that is taken out again. */
const OwnEntries = z.object({
  added: z.array(z.object({ key: z.string(), value: z.string() })),
  hashBefore: z.string(),
  hashAfter: z.string().optional(),
});

const ledgerKey = (file: string): string => `ha-lists:${file}`;

/** The vendor's scripts read both copies from scratch at each start: no reload is needed. */
export const registerHaLists: ChangeStep<"register-ha-lists"> = {
  check: async (args, context) => {
    const files: Evidence["files"] = [];
    for (const file of args.files) {
      const snapshot = await mustRead(file, context);
      if (missingEntries(snapshot.text, file, args).length > 0) return null;
      files.push(...editedFile(file, await ownFacts(context, ledgerKey(file), OwnEntries)));
    }
    return evidence([`${args.node} is in every list already`], { alreadyDone: true, files });
  },
  apply: async (args, context) => {
    // All copies are looked at before the first is edited: a broken one stops us with nothing changed.
    for (const file of args.files) missingEntries((await mustRead(file, context)).text, file, args);
    for (const file of args.files) {
      const snapshot = await mustRead(file, context);
      const added = missingEntries(snapshot.text, file, args);
      if (added.length === 0) continue;
      const earlier = await ownFacts(context, ledgerKey(file), OwnEntries);
      const text = added.reduce((t, { key, value }) => appendToArray(t, key, value), snapshot.text);
      await noteOwn(context, ledgerKey(file), {
        added: [...(earlier?.added ?? []), ...added],
        hashBefore: snapshot.hash,
        hashAfter: hashOf(text),
      });
      await context.files.replace(file, text, undefined, snapshot.hash);
    }
  },
  verify: async (args, context) => {
    const files: Evidence["files"] = [];
    const lines: string[] = [];
    for (const file of args.files) {
      const snapshot = await mustRead(file, context);
      const missing = missingEntries(snapshot.text, file, args);
      if (missing.length > 0) {
        const what = missing.map(({ key, value }) => `${value} in ${key}`).join(" and ");
        throw new Failure("VERIFICATION_FAILED", `${file} lacks ${what} after the edit`);
      }
      const names = haArray(parseHaModule(snapshot.text), "ALL_NODE_NAME") ?? [];
      const own = await ownFacts(context, ledgerKey(file), OwnEntries);
      lines.push(`${file}: ALL_NODE_NAME=(${names.join(" ")})`);
      lines.push(...keptEdits(args.planned, file, own?.hashBefore ?? snapshot.hash));
      files.push(...editedFile(file, own));
    }
    return evidence(lines, { files });
  },
  undo: async (args, context) => {
    const files: Evidence["files"] = [];
    const lines: string[] = [];
    for (const file of args.files) {
      const own = await ownFacts(context, ledgerKey(file), OwnEntries);
      const snapshot = await context.files.read(file);
      if (own === null) continue;
      if (snapshot !== null) {
        const text = own.added.reduce(
          (t, { key, value }) => removeFromArray(t, key, value),
          snapshot.text,
        );
        const hash =
          text === snapshot.text
            ? snapshot.hash
            : await context.files.replace(file, text, undefined, snapshot.hash);
        const exact = hash === own.hashBefore ? ", byte for byte as it was before" : "";
        lines.push(`${file}: took out ${args.node}${exact}`);
        files.push(...restoredFile(file, own));
      }
      await context.ledger.delete(ledgerKey(file));
    }
    return evidence(lines, { files, alreadyDone: lines.length === 0 });
  },
};

function missingEntries(
  text: string,
  file: string,
  { node, address }: Args,
): readonly { readonly key: string; readonly value: string }[] {
  const module = parseHaModule(text, file);
  return [
    { key: "KB_ALL_IP", value: address },
    { key: "ALL_NODE_NAME", value: node },
  ].filter(({ key, value }) => {
    const list = haArray(module, key);
    if (list !== null) return !list.includes(value);
    const complaint = module.complaints.find(({ message }) => message.includes(key));
    const where = complaint === undefined ? "" : `:${complaint.line}:${complaint.column}`;
    throw new Failure("CONFIG_INVALID", `${file}${where}: ${key} is not set as a plain list`, {
      hint: complaint?.hint ?? `Write ${key}=(a b c), as on the other nodes.`,
    });
  });
}

async function mustRead(file: string, context: StepContext): Promise<FileSnapshot> {
  const { product, settings, files } = context;
  const own = product.vendor?.haModuleFiles(settings.paths, settings.pool) ?? [];
  await assertOwnPlace(file, own, "HAmodule.conf");
  const snapshot = await files.read(file);
  if (snapshot !== null) return snapshot;
  throw new Failure("RESOURCE_MISSING", `${file} does not exist on this host`, {
    hint: "Every node has it below db/etc, management nodes also below kingbasecluster/etc.",
  });
}
