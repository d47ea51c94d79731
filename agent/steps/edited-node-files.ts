import type { CommandArgs } from "#shared/domain/commands.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { standbyMarkerFile, standbyStyleOf } from "./standby-marker.ts";

/** A generated file of the new node, as it was found later. damaged: it differs, and nobody has written it since. */
export type FileState = {
  /** Where it will be for good. */
  readonly path: string;
  /** Where it is now. */
  readonly at: string;
  readonly isStaged: boolean;
  readonly state: "as-written" | "edited" | "missing" | "damaged";
};

/**
 * What a person made of the files between our write and a later look: an edit is kept, what is missing is written
 * anew. null: write them (again). Where both came together nothing is guessed.
 * @throws Failure OPERATION_CONFLICT, saying what to do; VERIFICATION_FAILED for what nobody wrote.
 */
export async function keptEdits(
  states: readonly FileState[],
  args: Pick<CommandArgs<"write-node-files">, "stagingDirectory">,
  context: StepContext,
): Promise<readonly FileState[] | null> {
  assertAsWritten(states.filter(({ state }) => state === "damaged"));
  const edited = states.filter(({ state }) => state === "edited");
  const missing = states.filter(({ state }) => state === "missing");
  if (missing.length > 0 && edited.length === 0) return null;
  if (missing.length > 0) {
    throw conflict(
      `files of the new node were edited, others removed, since they were written`,
      [...edited, ...missing],
      `Put back ${names(missing)} to keep the edits, or remove ${names(edited)}, too, to have all written anew.`,
    );
  }
  const marker = edited.find(({ isStaged }) => isStaged) === undefined ? null : await markerOf(args, context); // prettier-ignore
  const risky = edited.filter(({ at }) => at === marker);
  if (risky.length > 0) {
    throw conflict(
      `${names(risky)} was edited before the node was ever started: with a wrong one it opens as a primary`,
      risky,
      `Remove it to have it written anew. What it should say is a matter of the cluster's declaration.`,
    );
  }
  return edited;
}

export function assertAsWritten(differing: readonly FileState[]): void {
  if (differing.length === 0) return;
  throw new Failure("VERIFICATION_FAILED", "files of the new node are not what was written", {
    evidence: differing.map(describe),
    hint: "If the disk is in order, remove the files that are named to have them written anew.",
    retryable: true,
  });
}

/** A recovery.conf says whether the server is a standby; an empty standby.signal says it by being there. */
async function markerOf(
  { stagingDirectory }: { readonly stagingDirectory: string },
  context: StepContext,
): Promise<string | null> {
  const style = await standbyStyleOf(stagingDirectory, context);
  return style === "standby-signal" ? null : `${stagingDirectory}/${standbyMarkerFile(style)}`;
}

function conflict(message: string, files: readonly FileState[], hint: string): Failure {
  return new Failure("OPERATION_CONFLICT", message, { evidence: files.map(describe), hint });
}

function describe({ at, state }: FileState): string {
  return `${at}: ${state === "damaged" ? "differs, though nobody has written it since" : state}`;
}

function names(files: readonly FileState[]): string {
  return files.map(({ at }) => at).join(", ");
}
