import { encodeBase64 } from "#shared/config-files/base64.ts";
import { printConninfo } from "#shared/config-files/conninfo.ts";
import { parseRecoveryConf, printRecoveryConf } from "#shared/config-files/recovery-conf.ts";
import { setParameter } from "#shared/config-files/server-conf.ts";
import { encodeUtf8 } from "#shared/config-files/text-file.ts";
import { confTo } from "#shared/config-files/upstream-edit.ts";
import { promoteTrigger } from "#shared/domain/names.ts";
import { Failure } from "#shared/errors.ts";
import { standbyMarkerFile, standbyStyleOf } from "../../steps/standby-marker.ts";
import type { NewPrimary } from "../new-primary.ts";
import type { GuardStepContext } from "../steps/step.ts";

/** Makes the stopped server of this host a standby of the primary, marker first; or a copy `place`, before it is put there. */
export async function writeFollowing(
  step: NewPrimary,
  context: GuardStepContext,
  place = context.settings.paths.dataDirectory,
): Promise<void> {
  const { files, product, settings } = context;
  const { root } = settings.paths;
  await files.remove(`${place}/${promoteTrigger}`);
  const style = await standbyStyleOf(place, context);
  const marker = `${place}/${standbyMarkerFile(style)}`;
  if (style === "standby-signal") {
    await files.replace(marker, "", 0o600);
    await writeSettings(`${place}/${product.files.autoConf}`, step, context);
    return;
  }
  const template = product.vendor === null || root === null ? null : product.vendor.recoveryTemplate(root); // prettier-ignore
  const text = await recoveryConf(template ?? marker, step, context);
  await files.replace(marker, text, 0o600);
  if (template !== null) await files.replace(template, text, 0o600);
}

async function writeSettings(
  path: string,
  step: NewPrimary,
  context: GuardStepContext,
): Promise<void> {
  const found = await context.files.read(path);
  let text = found?.text ?? "";
  const wanted = {
    primary_conninfo: printConninfo(await conninfo(step, context)),
    primary_slot_name: ownSlot(context),
    recovery_target_timeline: "latest",
  };
  for (const [name, value] of Object.entries(wanted)) text = setParameter(text, name, value);
  await context.files.replace(path, text, 0o600, found?.hash);
}

/** The vendor's template of this node keeps what else its site wrote there. */
async function recoveryConf(
  template: string,
  step: NewPrimary,
  context: GuardStepContext,
): Promise<string> {
  const found = await context.files.read(template);
  const { standby } = parseRecoveryConf(found?.text ?? "");
  const led = found === null || standby.standbyMode !== true ? null : confTo(found.text, step);
  return (
    led ??
    printRecoveryConf({
      primaryConninfo: await conninfo(step, context),
      primarySlotName: ownSlot(context),
      triggerFile: `${context.settings.paths.dataDirectory}/${promoteTrigger}`,
    })
  );
}

async function conninfo(
  { host, port }: NewPrimary,
  { product, secrets, view }: GuardStepContext,
): Promise<ReadonlyMap<string, string>> {
  const password = await secrets.get("replication");
  if (password === null) {
    throw new Failure("RESOURCE_MISSING", "this host has no secret replication", {
      hint: "On this host, as the agent's user: castellan-agent secret set replication",
    });
  }
  const clear = password.reveal();
  return new Map([
    ["host", host],
    ["port", String(port)],
    ["user", view.cluster?.database.replicationUser ?? ""],
    ["password", product.standbyPassword === "base64" ? encodeBase64(clear) : encodeUtf8(clear)],
    ["application_name", view.node],
  ]);
}

/** Declared for this node. @throws Failure REFUSED where it is in no declaration */
export function ownSlot({ view }: GuardStepContext): string {
  const slot = view.cluster?.nodes.find(({ name }) => name === view.node)?.slot;
  if (slot !== undefined) return slot;
  throw new Failure("REFUSED", `${view.node} is not declared in the cluster that this host knows`);
}
