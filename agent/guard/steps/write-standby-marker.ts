import { parseRecoveryConf, printRecoveryConf } from "#shared/config-files/recovery-conf.ts";
import { crashPoint } from "#shared/crash-point.ts";
import { promoteTrigger } from "#shared/domain/names.ts";
import { assertStopped } from "../../steps/postmaster.ts";
import { hasStandbyMarker, standbyMarkerFile, standbyStyleOf } from "../../steps/standby-marker.ts";
import type { GuardExecutor, GuardStepContext } from "./step.ts";

export const writeStandbyMarker: GuardExecutor<"write-standby-marker"> = (_step, context) =>
  fenceDirectory(context);

type MarkerContext = Pick<GuardStepContext, "settings" | "product" | "files" | "clock" | "mark">;

/** As the guard's step, and before any start at boot. Answers what it did, in one line. */
export async function fenceDirectory(context: MarkerContext): Promise<string> {
  const { dataDirectory } = context.settings.paths;
  await assertStopped(dataDirectory, context);
  // A trigger that was left there would promote it at its start.
  await context.files.remove(`${dataDirectory}/${promoteTrigger}`);
  const name = standbyMarkerFile(await standbyStyleOf(dataDirectory, context));
  if (await hasStandbyMarker(dataDirectory, context)) return `${name} is there`;
  await context.mark({ fencedAt: context.clock.now() });
  crashPoint("guard:marking-standby");
  await putStandbyMarker(context);
  return `${name} written`;
}

/** The file alone; one that is there stays as it is. */
export async function putStandbyMarker(
  context: Pick<MarkerContext, "settings" | "product" | "files">,
): Promise<void> {
  const { files, settings } = context;
  const { dataDirectory } = settings.paths;
  const style = await standbyStyleOf(dataDirectory, context);
  const marker = `${dataDirectory}/${standbyMarkerFile(style)}`;
  if (await hasStandbyMarker(dataDirectory, context)) return;
  await files.replace(marker, style === "standby-signal" ? "" : await recoveryConf(context), 0o600);
}

/**
 * The vendor's own template, whose primary_conninfo its scripts tell a standby by; else one that follows nobody yet. A
 * standby that asks a wrong upstream waits; it never opens.
 */
async function recoveryConf({
  files,
  settings,
  product,
}: Pick<MarkerContext, "settings" | "product" | "files">): Promise<string> {
  const { root, dataDirectory } = settings.paths;
  const path = product.vendor === null || root === null ? null : product.vendor.recoveryTemplate(root); // prettier-ignore
  const template = path === null ? null : await files.read(path);
  if (template !== null && parseRecoveryConf(template.text).standby.standbyMode === true) {
    return template.text;
  }
  return printRecoveryConf({
    primaryConninfo: null,
    primarySlotName: null,
    triggerFile: `${dataDirectory}/${promoteTrigger}`,
  });
}
