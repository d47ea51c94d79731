import { Failure } from "#shared/errors.ts";
import type { CommandArgs } from "#shared/domain/commands.ts";
import { measureSpace, printSpace } from "../adapters/space.ts";
import type { JobState, StepContext } from "../ports.ts";

type Args = Pick<CommandArgs<"base-backup">, "stagingDirectory" | "tablespaces" | "expectedBytes">;

/**
 * The failure of a copy that a disk of this host ended, by its own last words and that disk's space; null for any
 * other end. Trying again at once would only copy the same bytes up to the same place.
 */
export function diskFailure(job: JobState | null, args: Args): Failure | null {
  const evidence = (job?.stderr ?? []).slice(-12);
  const directories = [args.stagingDirectory, ...args.tablespaces.map(({ to }) => to)];
  const complaint = findDiskComplaint(evidence, directories);
  if (complaint === null) return null;
  const { path, reason } = complaint;
  const { expectedBytes } = args;
  const space = measureSpace(path);
  const where = space?.mountPoint ?? path;
  const more = expectedBytes - (space?.freeBytes ?? 0);
  const words = {
    full: `the disk under ${where} could not take the copy of ${expectedBytes} bytes`,
    quota: `the quota on ${where} could not take the copy of ${expectedBytes} bytes`,
    "read-only": `${where} turned read-only during the copy`,
  };
  const hints = {
    full:
      more > 0
        ? `Make room for ${more} bytes more and for the WAL of that time: the copy begins anew then.`
        : "There is room enough in bytes: it was used up for a moment, or the inodes are (df -i). Mend that: the copy begins anew then.",
    quota: "Raise the quota of the database's user: the copy begins anew then.",
    "read-only":
      "The kernel log says why (dmesg). Check the filesystem, mount it writable again: the copy begins anew then.",
  };
  return new Failure(
    "RESOURCE_MISSING",
    `${words[reason]}${space === null ? "" : `: ${printSpace(space)}`}`,
    {
      hint: hints[reason],
      evidence,
    },
  );
}

export type DiskComplaint = {
  readonly path: string;
  readonly reason: "full" | "quota" | "read-only";
};

const reasons: ReadonlyMap<string, DiskComplaint["reason"]> = new Map([
  ["No space left on device", "full"],
  ["Disk quota exceeded", "quota"],
  ["Read-only file system", "read-only"],
]);

/**
 * `could not write to file "/data/base/5/1249": No space left on device` (pg_basebackup 10 to 18; C locale), of a file
 * in one of the directories that the copy fills. The source's server speaks of its own files in the same words.
 */
export function findDiskComplaint(
  stderr: readonly string[],
  directories: readonly string[],
): DiskComplaint | null {
  for (const line of stderr) {
    const [, file = "", words = ""] = /"([^"]+)": ([A-Z][a-zA-Z -]+)$/.exec(line) ?? [];
    const reason = reasons.get(words);
    if (reason === undefined) continue;
    // The WAL's files are named without their directory.
    const isName = /^[0-9A-F]{24}(?:\.partial|\.tmp)?$/.test(file);
    if (isName) return { path: directories[0] ?? "/", reason };
    if (directories.some((directory) => file === directory || file.startsWith(`${directory}/`))) {
      return { path: file, reason };
    }
  }
  return null;
}

/** The program's progress goes into a file of our state: a full disk takes no line of it, and the copy goes on. */
export async function hidesProgress({
  files,
  settings,
}: Pick<StepContext, "files" | "settings">): Promise<boolean> {
  return (await files.filesystem(settings.stateDirectory)).freeBytes < leastForLines;
}

/** File systems say no a little before the last byte. */
const leastForLines = 64 * 1024;
