import * as z from "zod";
import { Name } from "#shared/domain/names.ts";
import { writeAtomically } from "../adapters/atomic-write.ts";
import { fileSignature, readSmallFile, sameSignature } from "../adapters/local-system.ts";

/** A file of the state directory that is bound to its host: a copied directory must say nothing of another one. */
export type BoundFile<T> = {
  /** As it was when it was opened; null where there was none, or none to be believed. */
  readonly found: T | null;
  /** Why what was there is not believed. */
  readonly trouble: string | null;
  /** As it is now: another program of this host (`castellan-agent fence`) writes it too. null as `found`. */
  read(): Promise<T | null>;
  /** On disk when it answers. */
  save(value: T): Promise<void>;
};

type BoundFileOptions<T> = {
  readonly path: string;
  readonly schema: z.ZodType<T>;
  readonly node: string;
  readonly machineIdFile?: string | undefined;
};

const Bound = z.looseObject({ machineId: z.string().nullable(), node: Name });

export async function openBoundFile<T extends object>({
  path,
  schema,
  node,
  machineIdFile = "/etc/machine-id",
}: BoundFileOptions<T>): Promise<BoundFile<T>> {
  const machineId = (await readSmallFile(machineIdFile))?.trim() ?? null;
  // Before the text: of what is written in between the next look tells.
  let signature = await fileSignature(path);
  const { found, trouble } = judge(await readSmallFile(path, "utf8"));
  let latest = found;
  return {
    found,
    trouble,
    read: async () => {
      const now = await fileSignature(path);
      // Every writer renames a whole file into its place.
      if (!sameSignature(signature, now)) latest = judge(await readSmallFile(path, "utf8")).found;
      signature = now;
      return latest;
    },
    save: async (value) => {
      const whole = Buffer.from(JSON.stringify({ machineId, node, ...value }));
      await writeAtomically(path, whole, { mode: 0o600 });
    },
  };

  function judge(said: string | null): Pick<BoundFile<T>, "found" | "trouble"> {
    if (said === null) return { found: null, trouble: null };
    const found = parse(said, schema);
    if (found === null) return { found, trouble: `${path} can't be read` };
    if (found.node === node && found.machineId === machineId) {
      return { found: found.value, trouble: null };
    }
    const whose = found.machineId === machineId ? "this host" : "another host";
    return { found: null, trouble: `${path} is of node ${found.node} on ${whose}` };
  }
}

function parse<T>(text: string, schema: z.ZodType<T>) {
  try {
    const { machineId, node, ...value } = Bound.parse(JSON.parse(text));
    return { machineId, node, value: schema.parse(value) };
  } catch {
    return null;
  }
}
