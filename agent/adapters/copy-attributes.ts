import type { Programs } from "../ports.ts";

/**
 * Access control lists, the SELinux label and extended attributes, which Node can't copy. Nothing is copied where the
 * host's cp can't (busybox) or may not: the file then has what its directory gives, as after an editor's save.
 */
export async function copyAttributes(
  programs: Pick<Programs, "run">,
  from: string,
  to: string,
): Promise<void> {
  // GNU coreutils docs: `all` leaves out silently what can't be preserved; the time of the change is to be now.
  const args = ["--attributes-only", "--preserve=all", "--no-preserve=timestamps", "--", from, to];
  await programs.run("cp", args, { timeoutMs: 5_000 }).catch(() => undefined); // no such program: as said above
}
