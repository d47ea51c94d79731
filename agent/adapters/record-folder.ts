import { createHash } from "node:crypto";
import { mkdir, readFile, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { Failure } from "#shared/errors.ts";
import { syncDirectory, temporaryName, writeAtomically } from "./atomic-write.ts";
import { fileFailure, orNull } from "./file-failure.ts";

/**
 * A folder of small JSON records, one file a key, each written atomically and fsynced before `put`
 * answers. Held in memory too: the agent's lock makes it the only writer. Closing waits for writes under way: the
 * next holder of that lock must not meet them.
 */
export type RecordFolder<T> = AsyncDisposable & {
  get(key: string): T | null;
  put(key: string, record: T): Promise<void>;
  delete(key: string): Promise<void>;
  entries(): readonly { readonly key: string; readonly record: T }[];
};

/** @throws Failure STORE_UNUSABLE for a record that is none. */
export async function openRecordFolder<T>(
  folder: string,
  schema: z.ZodType<T>,
): Promise<RecordFolder<T>> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const stored = z.strictObject({ key: z.string(), record: schema });
  const records = new Map<string, T>();
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    // A crash between write and rename: that put was never answered.
    if (temporaryName.test(name)) await unlink(path);
    if (!name.endsWith(".json")) continue;
    const parsed = stored.safeParse(parseJson(await readFile(path, "utf8")));
    if (!parsed.success) {
      throw new Failure("STORE_UNUSABLE", `${path} is no record of this agent`, {
        hint: "Move that file away and keep it; it says what the agent did on this host.",
        evidence: [parsed.error.issues[0]?.message ?? "against the schema"],
      });
    }
    // zod's inference of a generic schema's output loses the link to T; it was just parsed by it.
    records.set(parsed.data.key, parsed.data.record as T);
  }
  const pathOf = (key: string): string => join(folder, `${fileNameFor(key)}.json`);
  const underWay = new Set<Promise<void>>();
  const track = async (write: Promise<void>): Promise<void> => {
    underWay.add(write);
    try {
      await write;
    } finally {
      underWay.delete(write);
    }
  };
  const put = async (key: string, record: T): Promise<void> => {
    const bytes = Buffer.from(`${JSON.stringify({ key, record })}\n`);
    try {
      await writeAtomically(pathOf(key), bytes, { mode: 0o600 });
    } catch (error) {
      throw fileFailure("written", pathOf(key), error);
    }
    records.set(key, record);
  };
  const remove = async (key: string): Promise<void> => {
    try {
      await orNull(unlink(pathOf(key)));
      await syncDirectory(folder);
    } catch (error) {
      throw fileFailure("removed", pathOf(key), error);
    }
    records.delete(key);
  };
  return {
    get: (key) => records.get(key) ?? null,
    put: (key, record) => track(put(key, record)),
    delete: (key) => track(remove(key)),
    entries: () => [...records].map(([key, record]) => ({ key, record })),
    [Symbol.asyncDispose]: async () => {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}

/** A file name for any key; long ones (255 bytes is the limit) end in their hash. */
export function fileNameFor(key: string): string {
  const name = encodeURIComponent(key).replaceAll(".", "%2E");
  if (name.length <= 180) return name;
  return `${name.slice(0, 140)}-${createHash("sha256").update(key).digest("hex").slice(0, 32)}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
