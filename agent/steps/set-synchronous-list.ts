import * as z from "zod";
import { effective, parseServerConf } from "#shared/config-files/server-conf.ts";
import type { CommandArgs, Evidence } from "#shared/domain/commands.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { evidence } from "./evidence.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { ownDialect } from "./own-dialect.ts";
import { noteOwn, ownFacts } from "./own-entry.ts";
import type { ChangeStep } from "./step.ts";
import {
  autoConfPath,
  awaitSynchronousList,
  showSynchronousList,
  synchronousListName as name,
  writeSynchronousList,
} from "./synchronous-list.ts";

type Args = CommandArgs<"set-synchronous-list">;

const SettingFacts = z.object({
  written: z.string(),
  /** Did *.auto.conf set it before us? Else undo takes the line out again. */
  previous: z.string(),
  wasInAutoConf: z.boolean(),
  /** Of *.auto.conf; left out by agents of before. */
  hashBefore: z.string().nullable().optional(),
});
type SettingFacts = z.infer<typeof SettingFacts>;

/** The whole list, by ALTER SYSTEM on the primary: what *.auto.conf says beats every other file. */
export const setSynchronousList: ChangeStep<"set-synchronous-list"> = {
  check: async (args, context) => {
    const current = await showSynchronousList(context);
    const ours = await ownFacts(context, ledgerKey.setting(name), SettingFacts);
    if (current === args.value) return report(args, context, ours);
    assertExpected(args, current);
    return null;
  },
  apply: async (args, context) => {
    const current = await showSynchronousList(context);
    if (current === args.value) return;
    assertExpected(args, current);
    const known = await ownFacts(context, ledgerKey.setting(name), SettingFacts);
    const wasInAutoConf = known?.wasInAutoConf ?? (await inAutoConf(context)) !== null;
    const previous = known?.previous ?? current;
    const hashBefore = known === null ? ((await context.files.read(autoConfPath(context)))?.hash ?? null) : known.hashBefore; // prettier-ignore
    await noteOwn(context, ledgerKey.setting(name), {
      written: args.value,
      previous,
      wasInAutoConf,
      ...(hashBefore === undefined ? {} : { hashBefore }),
    });
    await writeSynchronousList(args.value, context);
  },
  verify: async (args, context) => {
    await awaitSynchronousList(args.value, context);
    const ours = await ownFacts(context, ledgerKey.setting(name), SettingFacts);
    return report(args, context, ours);
  },
  undo: async (_args, context) => {
    const facts = await ownFacts(context, ledgerKey.setting(name), SettingFacts);
    if (facts === null) return evidence([`${name}: not set by this operation`]);
    // The file goes before what is in force: a reload, ours or a person's, may still be on its way to this session.
    const current = (await inAutoConf(context)) ?? (await showSynchronousList(context));
    let line = `${name} is '${facts.previous}' again`;
    if (current === facts.written) {
      if (facts.wasInAutoConf) await writeSynchronousList(facts.previous, context);
      else await reset(context);
      await awaitSynchronousList(facts.previous, context);
    } else if (current !== facts.previous) {
      line = `${name} is kept: somebody made it '${current}' after us`;
    }
    await context.ledger.delete(ledgerKey.setting(name));
    return evidence([line], { files: await autoConfFile(context) });
  },
};

function assertExpected(args: Args, current: string): void {
  if (current === args.expected) return;
  throw new Failure("OPERATION_CONFLICT", `${name} is '${current}', not '${args.expected}'`, {
    hint: `Somebody changed it since the plan was made. Set it back to '${args.expected}'; or abort, and plan again.`,
  });
}

async function reset(context: StepContext): Promise<void> {
  await context.databases.own.query(`ALTER SYSTEM RESET ${name}`);
  crashPoint("step:setting-written");
  await context.databases.own.query((await ownDialect(context)).reload);
}

/** What ALTER SYSTEM has left there; null where it says nothing about the list. */
async function inAutoConf(context: StepContext): Promise<string | null> {
  const file = await context.files.read(autoConfPath(context));
  return file === null ? null : (effective(parseServerConf(file.text)).get(name)?.value ?? null);
}

async function report(
  args: Args,
  context: StepContext,
  ours: SettingFacts | null,
): Promise<Evidence> {
  const from = ours?.hashBefore === undefined ? {} : { from: ours.hashBefore };
  const files = ours === null ? [] : (await autoConfFile(context)).map((file) => ({ ...file, ...from })); // prettier-ignore
  return evidence([`${name} = '${args.value}'`], { alreadyDone: ours === null, files });
}

async function autoConfFile(context: StepContext): Promise<Evidence["files"]> {
  const file = await context.files.read(autoConfPath(context));
  return file === null ? [] : [{ path: autoConfPath(context), hash: file.hash }];
}
