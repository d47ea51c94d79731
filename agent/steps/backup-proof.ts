import * as z from "zod";
import { incompleteMarker } from "#shared/domain/names.ts";
import { Failure } from "#shared/errors.ts";
import { backupMarker } from "./backup-records.ts";
import type { TreeFacts } from "./own-directory.ts";

const Marker = z.object({ operationId: z.string(), generation: z.int() });

/** The client makes it before the first byte of the copy itself comes. */
const walDirectory = /^(?:pg|sys)_(?:wal|xlog)$/;
/** What a server makes in a tablespace's directory: PG_15_202209061. */
const tablespaceVersion = /^[A-Z]+_\d/;
const mostShown = 5;

type Directory = {
  readonly operationId: string;
  readonly files: {
    list(path: string): Promise<readonly string[]>;
    read(path: string): Promise<{ readonly text: string } | null>;
  };
};
type Place = { readonly stagingDirectory: string; readonly dataDirectory: string };

/**
 * To be the directory that we made is not enough where it holds something: people put files into directories, and
 * where a file system keeps no time of birth a removed directory's number is soon given to another one. The marker beside it must name this operation and attempt, and what lies in
 * it must be a copy of this operation (its label says so), or its beginnings.
 * @throws Failure REFUSED
 */
export async function assertIsOwnCopy(
  place: Place,
  tree: string,
  { generation }: Pick<TreeFacts, "generation">,
  context: Directory,
): Promise<void> {
  const names = await context.files.list(tree);
  if (names.length === 0) return;
  const isTablespace = tree !== place.stagingDirectory;
  if (!isTablespace) await assertMarked(place, generation, context);
  const isOurs = !isTablespace
    ? names.every((name) => walDirectory.test(name)) || (await isLabelled(tree, names, context))
    : names.every((name) => tablespaceVersion.test(name));
  if (isOurs) return;
  throw new Failure("REFUSED", `${tree} holds what this operation did not copy: left alone`, {
    hint: "Somebody put it there meanwhile. Move it away.",
    evidence: names.slice(0, mostShown),
  });
}

async function assertMarked(
  { stagingDirectory, dataDirectory }: Place,
  generation: number,
  { files, operationId }: Directory,
): Promise<void> {
  // Beside a mount point there is none.
  if (stagingDirectory === dataDirectory) return;
  const path = backupMarker(stagingDirectory);
  const text = (await files.read(path))?.text ?? null;
  const marker = Marker.safeParse(parseJson(text ?? "null")).data;
  if (marker?.operationId === operationId && marker.generation === generation) return;
  throw new Failure(
    "REFUSED",
    `${path} does not say that attempt ${generation} of this operation copied: ${stagingDirectory} is left alone`,
    {
      hint: `If nobody needs what is in it: empty ${stagingDirectory}.`,
      evidence: [text === null ? "it is missing" : text.trim().slice(0, 200)],
    },
  );
}

/** `LABEL: castellan OPERATION` stands in the copy from its first file on. */
async function isLabelled(
  tree: string,
  names: readonly string[],
  { files, operationId }: Directory,
): Promise<boolean> {
  // A started server renames the label; our own marker says the operation, or nothing where the job made it.
  const labels = names.filter((name) => /_label(?:\.old)?$/.test(name));
  for (const name of [...labels, incompleteMarker]) {
    const text = (await files.read(`${tree}/${name}`))?.text ?? null;
    if (text === null) continue;
    if (name === incompleteMarker && text.trim() === "") return true;
    if (text.includes(operationId)) return true;
  }
  return false;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
