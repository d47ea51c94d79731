import { createHash } from "node:crypto";
import type { BaselineRecord, FileVersionRecord, Store } from "../store/store.ts";

export type FileState = Pick<FileVersionRecord, "state" | "hash" | "mode" | "owner">;

/** As accepted: the bytes, and mode and owner where they are known. */
export function isAtBaseline(
  file: FileState,
  baseline: Pick<BaselineRecord, "hash" | "mode" | "owner">,
): boolean {
  if (baseline.hash === null) return file.state === "absent";
  return (
    file.hash === baseline.hash &&
    (baseline.mode === null || file.mode === baseline.mode) &&
    (baseline.owner === null || file.owner === baseline.owner)
  );
}

export type WatchedFileState = {
  readonly baseline: BaselineRecord;
  /** What its agent told last. */
  readonly current: FileVersionRecord;
};

/** Every watched file of a node that was ever seen and accepted; most are as accepted. */
export function fileStates(
  store: Pick<Store, "baselines" | "newestFiles">,
  node: string,
): readonly WatchedFileState[] {
  const newest = new Map(store.newestFiles(node).map((version) => [version.path, version]));
  return store.baselines(node).flatMap((baseline) => {
    const current = newest.get(baseline.path);
    return current === undefined ? [] : [{ baseline, current }];
  });
}

/**
 * Names one difference: what is accepted and what stands there instead. A person who was shown one accepts or reverts
 * that one and no other.
 */
export function shownHash({ baseline, current }: WatchedFileState): string {
  const { node, path, hash, mode, owner } = baseline;
  const shown = [node, path, hash, mode, owner, current.state, current.hash, current.mode, current.owner]; // prettier-ignore
  return createHash("sha256").update(JSON.stringify(shown)).digest("hex").slice(0, 16);
}
