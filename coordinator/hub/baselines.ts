import * as z from "zod";
import type { NodeFacts } from "#shared/domain/facts.ts";
import type { CoordinatorMessage } from "#shared/protocol/messages.ts";
import type { Events } from "../events.ts";
import type { Store } from "../store/store.ts";

type BaselinePorts = {
  readonly store: Pick<Store, "setBaseline" | "baselines">;
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
 * Answers whether anything was accepted.
 */
export function acceptSeenFiles(
  { store, events }: BaselinePorts,
  node: string,
  facts: NodeFacts,
  now: number,
  { acceptAll = false }: { readonly acceptAll?: boolean } = {},
): boolean {
  const known = new Map(store.baselines(node).map((b) => [b.path, b.hash]));
  const changed = facts.files.filter(
    (file) =>
      (file.state === "present" || file.state === "absent") &&
      (!known.has(file.path) || (acceptAll && known.get(file.path) !== file.hash)),
  );
  // A host has dozens of such files: an agent that makes up names must not fill the journal.
  let room = Math.max(0, mostBaselines - known.size);
  const fresh = changed.filter((file) => known.has(file.path) || (room -= 1) >= 0);
  for (const file of fresh) {
    store.setBaseline(node, file.path, file.hash, file.maskedText, now);
    const why = known.has(file.path) ? "made by an operation" : "first sight";
    events.emit("baseline:accepted", { node }, { path: file.path, hash: file.hash, why });
  }
  return fresh.length > 0;
}

const mostBaselines = 1_000;

/** What a command of ours changed is accepted at once. Answers whether anything was. */
export function acceptEvidence(
  { store, events }: BaselinePorts,
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
    store.setBaseline(node, path, hash, seen?.maskedText ?? null, now);
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
    files: store.baselines(node).map(({ path, hash }) => ({ path, hash })),
  };
}
