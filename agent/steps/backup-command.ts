import type { CommandArgs } from "#shared/domain/commands.ts";

/**
 * Arguments of pg_basebackup / sys_basebackup; no secret among them. The short options are those that the help
 * texts of PostgreSQL 10 to 18 and of sys_basebackup (build B0290) have in common.
 */
export function backupArguments(
  args: CommandArgs<"base-backup">,
  operationId: string,
): readonly string[] {
  const { source } = args;
  return [
    "-h",
    source.host,
    "-p",
    String(source.port),
    "-U",
    source.user,
    "-w",
    "-D",
    args.stagingDirectory,
    "-F",
    "p",
    // WAL comes over a second connection through the slot, so that nothing that the copy needs can be recycled.
    "-X",
    "stream",
    ...(args.slot === null ? [] : ["-S", args.slot]),
    // Without it the copy waits for the next scheduled checkpoint, minutes away.
    "-c",
    "fast",
    "-l",
    backupLabel(operationId),
    "-P",
    "-v",
    ...(args.maxRateBytesPerSecond === null ? [] : ["-r", maxRate(args.maxRateBytesPerSecond)]),
    ...args.tablespaces.flatMap(({ from, to }) => [
      "-T",
      `${escapeEquals(from)}=${escapeEquals(to)}`,
    ]),
  ];
}

/** Stands in the copy, and in what the source's server does for it. */
export function backupLabel(operationId: string): string {
  return `castellan ${operationId}`;
}

/** In kB; the programs take 32 kB to 1 GB a second. */
function maxRate(bytesPerSecond: number): string {
  return String(Math.min(1_048_576, Math.max(32, Math.floor(bytesPerSecond / 1024))));
}

/** An equals sign in a directory is written with a backslash (PostgreSQL docs, pg_basebackup). */
function escapeEquals(directory: string): string {
  return directory.replaceAll("=", String.raw`\=`);
}
