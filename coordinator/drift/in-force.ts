import type { FileFormat, FileSetting, NodeFacts } from "#shared/domain/facts.ts";
import type { FileVersionRecord } from "../store/store.ts";

const readOnReload: ReadonlySet<FileFormat> = new Set(["hba", "ident"]);
const readAsSettings: ReadonlySet<FileFormat> = new Set(["server-conf", "auto-conf"]);

export function settingsOfFile(facts: NodeFacts | null, path: string): readonly FileSetting[] {
  return (facts?.database.fileSettings ?? []).filter(({ file }) => file === path);
}

/** Whether the running server uses the file as it stands; null where nobody can tell. */
export function inForce(
  facts: NodeFacts | null,
  file: Pick<FileVersionRecord, "path" | "format" | "modifiedAt">,
): string | null {
  const database = facts?.database;
  if (database?.status !== "running") return null;
  if (readAsSettings.has(file.format)) {
    if (database.fileSettings === undefined) return null;
    const states = new Set(settingsOfFile(facts, file.path).map(({ state }) => state));
    if (states.has("broken")) return "the server refuses it, and keeps what it had";
    if (states.has("waits-for-restart")) return "in part only after a restart";
    if (states.has("waits-for-reload")) return "not before a reload";
    return states.has("overruled") ? "in force, but for what another file overrules" : "in force";
  }
  const loadedAt = database.configLoadedAt ?? null;
  if (!readOnReload.has(file.format) || loadedAt === null || file.modifiedAt === null) return null;
  return file.modifiedAt > loadedAt ? "not before a reload" : "in force";
}
