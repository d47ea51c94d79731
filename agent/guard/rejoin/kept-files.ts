import type { GuardStepContext } from "../steps/step.ts";
import type { RejoinRecord } from "./record.ts";

/**
 * This node's own configuration below its data directory, included files too: a rewind puts the other node's in its
 * place, and removes what that one has not.
 */
export async function keptFiles(context: GuardStepContext): Promise<RejoinRecord["files"]> {
  const { files, home, product, settings, view } = context;
  const inside = `${settings.paths.dataDirectory}/`;
  const watched = product.watchedFiles(settings.paths, null, home).map(({ path }) => path);
  const included = view.facts.files.filter(({ origin }) => origin !== undefined);
  const paths = new Set([...watched, ...included.map(({ path }) => path)]);
  const kept: RejoinRecord["files"] = [];
  for (const path of paths) {
    if (!path.startsWith(inside)) continue;
    const found = await files.read(path);
    if (found !== null) kept.push({ path, text: found.text, mode: found.mode });
  }
  return kept;
}

export async function restoreKeptFiles(
  record: RejoinRecord,
  { files }: GuardStepContext,
): Promise<void> {
  for (const { path, text, mode } of record.files) await files.replace(path, text, mode);
}
