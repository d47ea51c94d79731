import { expect, test } from "vitest";
import { diskFailure, findDiskComplaint } from "#agent/steps/backup-disk.ts";

const directories = ["/data.castellan-copy", "/ts"];

test("a disk of this host that ended the copy is known by the file that could not be written", () => {
  const line = (file: string, reason: string) =>
    `pg_basebackup: error: could not write to file "${file}": ${reason}`;
  const find = (text: string) => findDiskComplaint(["checkpoint completed", text], directories);
  expect(find(line("/data.castellan-copy/base/5/1249", "No space left on device"))).toEqual({
    path: "/data.castellan-copy/base/5/1249",
    reason: "full",
  });
  expect(find(line("/ts/PG_15/1", "Read-only file system"))?.reason).toBe("read-only");
  expect(find(line("/ts", "Disk quota exceeded"))?.reason).toBe("quota");
  const wal = 'could not write 8192 bytes to WAL file "000000010000000000000007.partial"';
  expect(find(`${wal}: No space left on device`)?.path).toBe("/data.castellan-copy");
});

test("what the source's server says of its own disk is not taken for ours", () => {
  const own = 'ERROR: could not write to file "base/pgsql_tmp/1": No space left on device';
  expect(findDiskComplaint([own], directories)).toBe(null);
  expect(findDiskComplaint(['"/data/x": No space left on device'], directories)).toBe(null);
  expect(findDiskComplaint(['could not open "/ts/1": Permission denied'], directories)).toBe(null);
});

test("a full disk is said with its figures and not tried again; how much more it must hold is in the hint", () => {
  const failure = diskFailure(
    {
      ...{ name: "base-backup.op", operationId: "op", generation: 1, pid: 1, startedAt: 1 },
      ...{ status: "ended", exitCode: 1 },
      stderr: ['could not create file "/tmp/none.castellan-copy/x": No space left on device'],
    },
    {
      stagingDirectory: "/tmp/none.castellan-copy",
      tablespaces: [],
      expectedBytes: 2 ** 60,
    },
  );
  expect(failure?.message).toMatch(/\d+ of \d+ bytes and \d+ inodes are free on \//);
  expect(failure?.hint).toMatch(/Make room for \d+ bytes more/);
  expect(failure?.retryable).toBe(false);
});
