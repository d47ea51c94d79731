import { maskChange } from "#shared/config-files/mask-secrets.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import type { PlannedFiles } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { FileSnapshot } from "../ports.ts";

/** Of a file at this path the plan saw: a hash, null for none there, undefined where it says nothing. */
export function plannedHash(planned: PlannedFiles, path: string): string | null | undefined {
  return planned?.find((file) => file.path === path)?.hash;
}

/** For edits that add their own lines and keep everybody's: that there was somebody else's edit is worth a line. */
export function keptEdits(
  planned: PlannedFiles,
  path: string,
  foundHash: string,
): readonly string[] {
  const hash = plannedHash(planned, path);
  return hash === undefined || hash === foundHash
    ? []
    : [`${path} was edited by somebody after the plan was made: that edit is kept`];
}

/**
 * For a file that is replaced whole: what stands there must be what the plan saw, or nothing at all.
 * @throws Failure OPERATION_CONFLICT with what would be lost.
 */
export function refuseOtherFile(
  path: string,
  found: FileSnapshot | null,
  expected: readonly (string | null)[],
  text: string,
): void {
  if (found === null || expected.includes(found.hash)) return;
  const { before, after } = maskChange(path, found.text, text);
  const was = expected[0] == null ? "no file" : `sha256 ${expected[0].slice(0, 12)}`;
  throw new Failure(
    "OPERATION_CONFLICT",
    `${path} was changed after the plan was made: planned against ${was}, found sha256 ${found.hash.slice(0, 12)}`,
    {
      hint: `Nothing was written. Move ${path} away, and it is made anew; or abort, and plan again.`,
      evidence: unifiedDiff(before, after, { path }).trimEnd().split("\n").slice(0, mostLines),
    },
  );
}

const mostLines = 100;
