import { Failure, type FailureCode } from "#shared/errors.ts";
import type { JobState } from "../ports.ts";

type Row = {
  readonly says: RegExp;
  readonly failure: FailureCode;
  readonly retryable: boolean;
  readonly hint: (source: string) => string;
};

/** What the copying program says in its last lines, and what it means here. First match wins. */
const table: readonly Row[] = [
  {
    says: /password authentication failed|no password supplied/,
    failure: "AUTHENTICATION_FAILED",
    retryable: false,
    hint: () => "Give the new host the right password: castellan-agent secret set replication",
  },
  {
    says: /no \w+hba\.conf entry/,
    failure: "AUTHENTICATION_FAILED",
    retryable: false,
    hint: (source) => `Look at the hba file of ${source}: no line lets the new host in any more.`,
  },
  {
    says: /exceeds max_wal_senders/,
    failure: "RESOURCE_MISSING",
    retryable: true,
    hint: (source) =>
      `Somebody has taken the last WAL sender of ${source}: end one that nobody needs (pg_stat_replication there).`,
  },
  {
    // Everything before it may be gone: only a slot that is made anew, with a copy that begins after it, will do.
    says: /replication slot "[^"]*" does not exist/,
    failure: "RESOURCE_MISSING",
    retryable: false,
    hint: () =>
      'The slot of this copy was dropped: its WAL budget was used up ("castellan alert list" says so), or somebody took it away. Nothing brings it back: abort the operation, then add the node again, with a larger --wal-budget or at a calmer hour.',
  },
];

/** The end of a copy that did not succeed: its own words first. Trying again starts it from the beginning. */
export function backupFailure(job: JobState | null, source: string): Failure {
  const code = job?.exitCode ?? null;
  const lines = (job?.stderr ?? []).slice(-12);
  const text = lines.join("\n");
  const row = table.find(({ says }) => says.test(text));
  const how = code === null ? "was killed or went down with the host" : `ended with ${code}`;
  const said = row === undefined ? undefined : lines.find((line) => row.says.test(line));
  const why = said === undefined ? "" : `: ${said.replace(/^.*?(?:FATAL|ERROR): +/, "")}`;
  return new Failure(row?.failure ?? "PROGRAM_FAILED", `the base backup ${how}${why}`, {
    hint:
      row?.hint(source) ??
      "Its own last lines say why. Trying again starts the copy from the beginning.",
    evidence: lines,
    retryable: row?.retryable ?? true,
  });
}
