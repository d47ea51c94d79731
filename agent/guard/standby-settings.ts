import { parseConninfo } from "#shared/config-files/conninfo.ts";
import { parseRecoveryConf } from "#shared/config-files/recovery-conf.ts";
import { confTo, type UpstreamPlace } from "#shared/config-files/upstream-edit.ts";
import { Failure } from "#shared/errors.ts";
import type { Row } from "../ports.ts";
import { ownDialect } from "../steps/own-dialect.ts";
import { text, textOrNull } from "../steps/row-values.ts";
import { standbyMarkerFile, standbyStyleOf } from "../steps/standby-marker.ts";
import type { GuardStepContext } from "./steps/step.ts";

/** Where a running standby is told whom it follows. */
export type StandbySettings = {
  /** Files to edit: what the server reads, then the vendor's template of it. */
  readonly files: readonly string[];
  readonly host: string | null;
  readonly port: number | null;
  readonly slot: string | null;
};

/** null where it stands in no file, as on a former primary that follows nobody yet. */
export async function standbySettings(context: GuardStepContext): Promise<StandbySettings | null> {
  const { dataDirectory } = context.settings.paths;
  const style = await standbyStyleOf(dataDirectory, context);
  return style === "standby-signal"
    ? fromServer(context)
    : fromRecoveryConf(`${dataDirectory}/${standbyMarkerFile(style)}`, context);
}

/** From version 12 on these are settings like any other, in whichever file. */
async function fromServer({
  databases,
  product,
}: GuardStepContext): Promise<StandbySettings | null> {
  const dialect = await ownDialect({ databases, product });
  const rows = await databases.own.query(dialect.runningSettings);
  const row = (name: string): Row => rows.find((found) => text(found, "name") === name) ?? {};
  const conninfo = row("primary_conninfo");
  const file = textOrNull({ file: null, ...conninfo }, "file");
  if (file === null) return null;
  const { values } = parseConninfo(text(conninfo, "value"));
  return {
    files: [file],
    ...placeOf(values),
    slot: text({ value: null, ...row("primary_slot_name") }, "value") || null,
  };
}

async function fromRecoveryConf(
  path: string,
  { files, product, settings }: GuardStepContext,
): Promise<StandbySettings | null> {
  const { root } = settings.paths;
  const found = await files.read(path);
  const { standby } = parseRecoveryConf(found?.text ?? "", path);
  if (standby.primaryConninfo === null) return null;
  const template = product.vendor === null || root === null ? null : product.vendor.recoveryTemplate(root); // prettier-ignore
  const hasTemplate = template !== null && (await files.read(template)) !== null;
  return {
    files: hasTemplate ? [path, template] : [path],
    ...placeOf(standby.primaryConninfo.values),
    slot: standby.primarySlotName,
  };
}

function placeOf(values: ReadonlyMap<string, string>): Pick<StandbySettings, "host" | "port"> {
  const port = values.get("port");
  return {
    host: values.get("hostaddr") ?? values.get("host") ?? null,
    port: port === undefined ? null : Number(port),
  };
}

/** Leads each of these files to another upstream; whatever else stands in them stays. */
export async function editUpstream(
  paths: readonly string[],
  upstream: UpstreamPlace,
  { files }: GuardStepContext,
): Promise<void> {
  for (const path of paths) {
    const found = await files.read(path);
    const next = found === null ? null : confTo(found.text, upstream);
    if (found === null || next === null) throw nowhere(`${path} has no primary_conninfo that can be read`); // prettier-ignore
    if (next !== found.text) await files.replace(path, next, undefined, found.hash);
  }
}

function nowhere(message: string): Failure {
  return new Failure("REFUSED", message, {
    hint: "Write primary_conninfo as KEY=VALUE pairs into the file that the server reads.",
  });
}
