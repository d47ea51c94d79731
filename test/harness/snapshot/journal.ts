import { copyFile, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { openConnection } from "#coordinator/store/connection.ts";
import type { Castellan } from "#test/harness/castellan.ts";

const Lease = z.object({ cluster: z.string(), kind: z.string(), state: z.string() });
const Unfinished = z.object({ id: z.string(), kind: z.string(), state: z.string() });
const Baseline = z.object({ node: z.string(), path: z.string(), hash: z.string().nullable() });

/** Leases, operations that are not over, and the accepted versions of watched files, as they stand in the journal. */
export async function journalEntries({
  coordinatorHost,
  stateDirectory,
}: Castellan): Promise<Record<string, string>> {
  const journal = coordinatorHost.path(`${stateDirectory}/journal.db`);
  const folder = await mkdtemp(join(tmpdir(), "castellan-journal-"));
  try {
    const copy = join(folder, "journal");
    await copyWhole(journal, copy);
    return read(copy);
  } catch (error) {
    return { journal: `unreadable (${error instanceof Error ? error.message : String(error)})` };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function read(file: string): Record<string, string> {
  const connection = openConnection(file);
  try {
    const all = <T>(schema: z.ZodType<T>, sql: string): readonly T[] =>
      connection.all(sql).map((row) => schema.parse(row));
    const leases = all(
      Lease,
      "SELECT l.cluster, o.kind, o.state FROM lease l JOIN operation o ON o.id = l.operation_id",
    );
    const unfinished = all(
      Unfinished,
      "SELECT id, kind, state FROM operation WHERE state NOT IN ('succeeded', 'cancelled', 'rolled-back')",
    );
    const baselines = all(Baseline, "SELECT node, path, hash FROM baseline");
    return Object.fromEntries([
      ...leases.map(({ cluster, kind, state }) => [`lease ${cluster}`, `${kind}, ${state}`]),
      ...unfinished.map(({ id, kind, state }) => [`operation ${id}`, `${kind}, ${state}`]),
      ...baselines.map(({ node, path, hash }) => [`baseline ${node} ${path}`, hash ?? "none"]),
    ]);
  } finally {
    connection.close();
  }
}

/** The file and its WAL of one moment: copied again when either changed meanwhile. Never opened where the coordinator has it. */
async function copyWhole(from: string, to: string): Promise<void> {
  for (let tries = 0; tries < 50; tries += 1) {
    const before = await version(from);
    await copyFile(from, to);
    await copyFile(`${from}-wal`, `${to}-wal`).catch(() => rm(`${to}-wal`, { force: true }));
    if (before === (await version(from))) return;
  }
  throw new Error("it was written all the time");
}

async function version(file: string): Promise<string> {
  const parts = await Promise.all(
    [file, `${file}-wal`].map(async (path) => {
      const found = await stat(path, { bigint: true }).catch(() => null);
      return found === null ? "none" : `${found.size} ${found.mtimeNs}`;
    }),
  );
  return parts.join(" ");
}
