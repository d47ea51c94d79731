import { crashPoint } from "#shared/crash-point.ts";
import { Failure } from "#shared/errors.ts";
import type { GuardStepContext } from "../steps/step.ts";

/**
 * Every server from 9.6 on refuses a data directory that others may enter, whoever starts it and after whatever crash;
 * nobody can read anything by it, and a rewind does not mind. A standby marker would not do: the rewind removes it.
 */
export const lockedMode = 0o701;

/** Answers the mode that it had. */
export async function directoryMode({ files, settings }: GuardStepContext): Promise<number> {
  const found = await files.attributes(settings.paths.dataDirectory);
  if (found !== null) return found.mode;
  throw new Failure("NOT_FOUND", `${settings.paths.dataDirectory} is gone`);
}

export async function lockDirectory(context: GuardStepContext): Promise<void> {
  await setMode(lockedMode, context);
  crashPoint("guard:directory-locked");
}

export async function unlockDirectory(mode: number, context: GuardStepContext): Promise<void> {
  await setMode(mode, context);
  crashPoint("guard:directory-unlocked");
}

async function setMode(mode: number, { files, settings }: GuardStepContext): Promise<void> {
  const { dataDirectory } = settings.paths;
  const found = await files.attributes(dataDirectory);
  if (found !== null && found.mode !== mode) await files.setAttributes(dataDirectory, { ...found, mode }); // prettier-ignore
}
