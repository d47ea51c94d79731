import { Failure } from "#shared/errors.ts";
import type { Store } from "../store/store.ts";

/**
 * The watched file that a person means: its path, or the end of it, e.g. `pg_hba.conf`.
 * @throws Failure NOT_FOUND, or USAGE naming the candidates.
 */
export function findFile(
  store: Pick<Store, "agent" | "baselines" | "newestFiles">,
  node: string,
  file: string,
): string {
  if (store.agent(node) === null) {
    throw new Failure("NOT_FOUND", `No agent of ${node} ever joined.`, {
      hint: "castellan status",
    });
  }
  const paths = [
    ...new Set([
      ...store.baselines(node).map(({ path }) => path),
      ...store.newestFiles(node).map(({ path }) => path),
    ]),
  ].toSorted();
  if (paths.includes(file)) return file;
  const found = paths.filter((path) => path.endsWith(`/${file.replace(/^\/+/, "")}`));
  const [path] = found;
  if (path !== undefined && found.length === 1) return path;
  if (path !== undefined) {
    throw new Failure("USAGE", `${file} may be any of ${found.length} watched files of ${node}.`, {
      hint: "Name one of these, or as much of its end as no other has.",
      evidence: found,
    });
  }
  throw new Failure("NOT_FOUND", `${node} has no watched file ${file}.`, {
    hint: "Name one of these, or the end of its path.",
    evidence: paths,
  });
}

/** On a node whose folders are others: the same name is meant. */
export function findCounterpart(
  store: Pick<Store, "agent" | "baselines" | "newestFiles">,
  node: string,
  file: string,
): string {
  try {
    return findFile(store, node, file);
  } catch (error) {
    const name = file.slice(file.lastIndexOf("/") + 1);
    if (name === file || !(error instanceof Failure) || error.code !== "NOT_FOUND") throw error;
    return findFile(store, node, name);
  }
}
