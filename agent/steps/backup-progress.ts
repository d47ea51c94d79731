/** What a base backup program says on stderr while it works (`-P -v`; PostgreSQL docs and its own help text). */
export type BackupProgress = {
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** copying, or what it does before and after: a checkpoint and the last fsync have no numbers. */
  readonly phase: "starting" | "copying" | "syncing";
};

/** `25782/94216 kB (27%), 0/1 tablespace` gives 25782 KiB of 94216. The last such line counts. */
export function readBackupProgress(stderr: readonly string[]): BackupProgress {
  let doneBytes = 0;
  let totalBytes = 0;
  let phase: BackupProgress["phase"] = "starting";
  for (const line of stderr) {
    const match = /(\d+)\/(\d+) kB \(\s*\d+%\)/.exec(line);
    if (match !== null) {
      doneBytes = Number(match[1]) * 1024;
      totalBytes = Number(match[2]) * 1024;
      phase = "copying";
    } else if (/checkpoint completed|log start point/.test(line)) {
      phase = "copying";
    } else if (/syncing data to disk/.test(line)) {
      phase = "syncing";
    }
  }
  return { doneBytes, totalBytes, phase };
}

/**
 * A number that counts up while the source writes its checkpoint and while the last fsync runs: both take as long as
 * there is to write, and neither says a word (no server counts what a fast checkpoint has written before its end). So
 * they get ten times the patience of the rest, each.
 */
export function createPatience(
  stallMs: number,
): (phase: BackupProgress["phase"], nowMs: number) => number {
  let silent: { readonly phase: BackupProgress["phase"]; readonly since: number } | null = null;
  return (phase, nowMs) => {
    if (silent?.phase !== phase) silent = { phase, since: nowMs };
    return phase === "copying"
      ? 0
      : Math.min(18, Math.floor((nowMs - silent.since) / (stallMs / 2)));
  };
}
