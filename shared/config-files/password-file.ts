import type { FileFacts } from "../domain/facts.ts";

type Seen = Pick<FileFacts, "format" | "state" | "mode" | "owner">;

/** Group or others have some right to it: then it is ignored (PostgreSQL docs, libpq-pgpass; pgpool docs, pcppass). */
export function isIgnoredPasswordFile({ format, mode }: Pick<Seen, "format" | "mode">): boolean {
  return format === "pass" && mode !== null && (mode & 0o077) !== 0;
}

/** What a change of a password file leads to; null where it harms nothing, or the file is none. */
export function passwordFileHarm(file: Seen, accepted: string | null): string | null {
  if (file.format !== "pass") return null;
  const because =
    file.state === "absent"
      ? "it is gone"
      : isIgnoredPasswordFile(file)
        ? "client programs ignore a password file that group or others have a right to"
        : accepted !== null && file.owner !== accepted
          ? "the server's user may not read it"
          : null;
  return because === null
    ? null
    : `${because}: replication that takes its password from it stops at its next reconnect`;
}
