import * as z from "zod";
import type { FileFacts, NodeFacts } from "#shared/domain/facts.ts";
import type { CoordinatorMessage } from "#shared/protocol/messages.ts";
import type { Events } from "../events.ts";
import { isAtBaseline } from "../drift/file-states.ts";
import type { BaselineRecord, Store } from "../store/store.ts";

type BaselinePorts = {
  readonly store: Pick<Store, "setBaseline" | "baselines" | "noteFile">;
  readonly events: Events;
};

/** Evidence of a change names the files that it left behind. */
const ChangedFiles = z.looseObject({
  files: z.array(
    z.object({
      path: z.string(),
      hash: z.string().nullable(),
      from: z.string().nullable().optional(),
    }),
  ),
});

/**
 * Accepts what was never seen before: the first look at a host makes its baselines. With
 * `acceptAll` whatever stands there now is accepted (an operation of ours has just made this node).
 * Every file becomes part of its history. Answers whether anything was accepted.
 */
export function acceptSeenFiles(
  { store, events }: BaselinePorts,
  node: string,
  facts: NodeFacts,
  now: number,
  { acceptAll = false }: { readonly acceptAll?: boolean } = {},
): boolean {
  const known = new Map(store.baselines(node).map((b) => [b.path, b]));
  const changed = facts.files.filter((file) => {
    const baseline = known.get(file.path);
    const isThere = file.state === "present" || file.state === "absent";
    return isThere && (baseline === undefined || (acceptAll && !isAtBaseline(file, baseline)));
  });
  // A host has dozens of such files: an agent that makes up names must not fill the journal.
  let room = Math.max(0, mostBaselines - known.size);
  const fresh = changed.filter((file) => known.has(file.path) || (room -= 1) >= 0);
  for (const file of fresh) {
    // A file that came to an included directory belongs to the configuration with nobody having accepted it.
    const isNew = !acceptAll && file.origin === "include-dir" && known.size > 0;
    const acceptedBy = known.has(file.path) ? "an operation" : "first sight";
    const accepted = isNew ? nothing(file.path) : acceptedState(file);
    store.setBaseline({ node, ...accepted, acceptedBy }, now);
    const why = known.has(file.path) ? "made by an operation" : "first sight";
    events.emit("baseline:accepted", { node }, { path: file.path, hash: accepted.hash, why });
  }
  const completed = facts.files.filter((file) => completes(known.get(file.path), file));
  for (const file of completed) {
    const baseline = known.get(file.path);
    if (baseline === undefined || fresh.includes(file)) continue;
    store.setBaseline({ ...baseline, mode: file.mode, owner: file.owner }, baseline.acceptedAt);
  }
  const accepted = new Set([...known.keys(), ...fresh.map(({ path }) => path)]);
  for (const file of facts.files) if (accepted.has(file.path)) store.noteFile(node, file, now);
  return fresh.length > 0 || completed.length > 0;
}

type Accepted = Pick<BaselineRecord, "path" | "hash" | "mode" | "owner" | "maskedText">;

function acceptedState({ path, hash, mode, owner, maskedText }: FileFacts): Accepted {
  return { path, hash, mode, owner, maskedText };
}

function nothing(path: string): Accepted {
  return { path, hash: null, mode: null, owner: null, maskedText: null };
}

/** The bytes were accepted before their mode and owner were seen. */
function completes(baseline: BaselineRecord | undefined, file: FileFacts): boolean {
  return (
    baseline !== undefined &&
    baseline.hash !== null &&
    baseline.hash === file.hash &&
    (baseline.mode === null || baseline.owner === null) &&
    file.mode !== null
  );
}

const mostBaselines = 1_000;

/** What a command of ours changed is accepted at once. Answers whether anything was. */
export function acceptEvidence(
  {
    store,
    events,
  }: Pick<BaselinePorts, "events"> & { readonly store: Pick<Store, "setBaseline" | "baselines"> },
  node: string,
  facts: NodeFacts | null,
  result: unknown,
  about: { readonly operationId: string | null; readonly stepId: string },
  now: number,
): boolean {
  const changed = ChangedFiles.safeParse(result);
  if (!changed.success) return false;
  const known = new Map(store.baselines(node).map((b) => [b.path, b.hash]));
  // An edit on top of somebody's own must not accept that one with it.
  const files = changed.data.files.filter(
    ({ path, hash, from }) =>
      from === undefined || !known.has(path) || [from, hash].includes(known.get(path) ?? null),
  );
  for (const { path, hash } of files) {
    const seen = facts?.files.find((file) => file.path === path && file.hash === hash);
    const accepted = seen === undefined ? { ...nothing(path), hash } : acceptedState(seen);
    const { operationId, stepId } = about;
    const acceptedBy = operationId === null ? stepId : `operation ${operationId}`;
    store.setBaseline({ node, ...accepted, acceptedBy }, now);
    events.emit(
      "baseline:accepted",
      { node, operationId: about.operationId },
      { path, hash, why: `changed by ${about.stepId}` },
    );
  }
  return files.length > 0;
}

/**
 * What a step's own evidence says when it is read backwards: told again after its agent died, an undo finds nothing of
 * its own any more and names no file. Versions that were ours are then the ones before.
 */
export function undoneEvidence(
  { store }: { readonly store: Pick<Store, "operation" | "baselines"> },
  node: string,
  { operationId, stepId }: { readonly operationId: string | null; readonly stepId: string },
): unknown {
  const operation = operationId === null ? null : store.operation(operationId);
  const index = operation?.plan.steps.findIndex(({ id }) => id === stepId) ?? -1;
  const made = ChangedFiles.safeParse(operation?.steps[index]?.evidence);
  const known = new Map(store.baselines(node).map((b) => [b.path, b.hash]));
  const files = made.success ? made.data.files : [];
  return {
    files: files.flatMap(({ path, hash, from }) =>
      from === undefined || known.get(path) !== hash ? [] : [{ path, hash: from, from: hash }],
    ),
  };
}

export function baselinesMessage(
  store: Pick<Store, "baselines">,
  node: string,
): Extract<CoordinatorMessage, { type: "baselines" }> {
  return {
    type: "baselines",
    files: store.baselines(node).map(({ path, hash, mode, owner }) => ({
      path,
      hash,
      ...(mode === null ? {} : { mode }),
      ...(owner === null ? {} : { owner }),
    })),
  };
}
