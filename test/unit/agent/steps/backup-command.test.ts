import { expect, test } from "vitest";
import { backupArguments } from "#agent/steps/backup-command.ts";
import { readBackupProgress } from "#agent/steps/backup-progress.ts";
import type { CommandArgs } from "#shared/domain/commands.ts";

const upstream = { node: "n1", host: "10.0.0.1", port: 5432, user: "repl", database: "postgres" };
const args: CommandArgs<"base-backup"> = {
  source: upstream,
  slot: "slot_n2",
  slotHolder: upstream,
  stagingDirectory: "/data.copy",
  dataDirectory: "/data",
  tablespaces: [],
  maxRateBytesPerSecond: null,
  expectedBytes: 1,
  stallMs: 1,
  systemIdentifier: "1",
};

test("the copy goes through the slot, checkpoints at once and never asks for a password", () => {
  expect(backupArguments(args, "op-abcdefgh").join(" ")).toBe(
    "-h 10.0.0.1 -p 5432 -U repl -w -D /data.copy -F p -X stream -S slot_n2 -c fast -l castellan op-abcdefgh -P -v",
  );
});

test.each([
  [10 * 1024 * 1024, "10240"],
  [1, "32"],
  [1e12, "1048576"],
])("a limit of %d bytes a second is %s kB", (maxRateBytesPerSecond, expected) => {
  const words = backupArguments({ ...args, maxRateBytesPerSecond }, "op-abcdefgh");
  expect(words[words.indexOf("-r") + 1]).toBe(expected);
});

test("an equals sign in a tablespace's directory is escaped", () => {
  const tablespaces = [{ from: "/srv/a=b", to: "/srv/c" }];
  expect(backupArguments({ ...args, tablespaces }, "op-abcdefgh")).toContain(
    String.raw`/srv/a\=b=/srv/c`,
  );
});

test("progress is read from the last line that has numbers", () => {
  const lines = [
    "pg_basebackup: initiating base backup, waiting for checkpoint to complete",
    "    0/94216 kB (0%), 0/1 tablespace (/data.copy/backup_label)",
    "25782/94216 kB (27%), 0/1 tablespace (...base/5/2619)",
    "pg_basebackup: starting background WAL receiver",
  ];
  expect(readBackupProgress(lines)).toEqual({
    doneBytes: 25782 * 1024,
    totalBytes: 94216 * 1024,
    phase: "copying",
  });
  expect(readBackupProgress(lines.slice(0, 1)).phase).toBe("starting");
  expect(readBackupProgress([...lines, "pg_basebackup: syncing data to disk ..."]).phase).toBe(
    "syncing",
  );
});
