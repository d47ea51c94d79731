import { expect, test } from "vitest";
import { backupFailure } from "#agent/steps/backup-failure.ts";

const job = (...stderr: string[]) => ({
  name: "base-backup.op-abcdefgh",
  status: "ended" as const,
  operationId: "op-abcdefgh",
  generation: 1,
  pid: 1,
  startedAt: 0,
  exitCode: 1,
  stderr,
});
const login =
  'pg_basebackup: error: connection to server at "10.0.0.127", port 5432 failed: FATAL:  ';

test.each([
  [
    `${login}password authentication failed for user "replicator"`,
    { code: "AUTHENTICATION_FAILED", retryable: false, hint: /secret set replication$/ },
  ],
  [
    `${login}no pg_hba.conf entry for replication connection from host "10.0.0.159"`,
    { code: "AUTHENTICATION_FAILED", retryable: false, hint: /hba file of srv127/ },
  ],
  [
    `${login}number of requested standby connections exceeds max_wal_senders (currently 2)`,
    { code: "RESOURCE_MISSING", retryable: true, hint: /WAL sender of srv127/ },
  ],
  [
    'pg_basebackup: error: could not send replication command "START_REPLICATION": ERROR:  replication slot "slot_srv159" does not exist',
    { code: "RESOURCE_MISSING", retryable: false, hint: /WAL budget was used up.*abort/ },
  ],
  [
    "pg_basebackup: error: backup failed: who knows",
    { code: "PROGRAM_FAILED", retryable: true, hint: /own last lines/ },
  ],
])("the copy's last words %j say what to do", (line, { code, retryable, hint }) => {
  const failure = backupFailure(job("pg_basebackup: starting", line), "srv127");
  expect(failure).toMatchObject({ code, retryable });
  expect(failure.hint).toMatch(hint);
  expect(failure.evidence).toContain(line);
  if (code !== "PROGRAM_FAILED") {
    expect(failure.message).toBe(
      `the base backup ended with 1: ${line.split(/(?:FATAL|ERROR): {2}/)[1]}`,
    );
  }
});

test("a copy that was killed says so", () => {
  expect(backupFailure(null, "srv127").message).toBe(
    "the base backup was killed or went down with the host",
  );
});
