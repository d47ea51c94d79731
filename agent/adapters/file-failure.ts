import { Failure } from "#shared/errors.ts";
import { measureSpace, printSpace } from "./space.ts";

/** Hints for the errno values that a site can mend. */
const hints: Readonly<Record<string, string>> = {
  ENOSPC: "Free space on that filesystem.",
  EDQUOT: "Raise the quota.",
  EROFS: "The filesystem is mounted read-only: see the kernel log and remount it.",
  EACCES: "Give the agent's user access to it, or correct the path in agent.yaml.",
  EPERM: "Give the agent's user ownership of it, or correct the path in agent.yaml.",
};

export function errnoOf(error: unknown): string | null {
  if (!(error instanceof Error) || !("code" in error)) return null;
  return typeof error.code === "string" ? error.code : null;
}

/** A file system error as a Failure that names the file; a Failure stays what it is. */
export function fileFailure(action: string, path: string, error: unknown): Failure {
  if (error instanceof Failure) return error;
  const errno = errnoOf(error);
  const hint = errno === null ? undefined : hints[errno];
  const reason = error instanceof Error ? error.message : String(error);
  const isAboutSpace = errno === "ENOSPC" || errno === "EDQUOT" || errno === "EROFS";
  const space = isAboutSpace ? measureSpace(path) : null;
  return new Failure("RESOURCE_MISSING", `${path} can't be ${action}: ${reason}`, {
    ...(hint === undefined ? {} : { hint }),
    evidence: space === null ? [] : [printSpace(space)],
    cause: error,
  });
}

/** null instead of ENOENT (and ENOTDIR, where a parent is a file). */
export async function orNull<T>(work: Promise<T>): Promise<T | null> {
  try {
    return await work;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return null;
    throw error;
  }
}
