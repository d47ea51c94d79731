import { expect, test } from "vitest";
import { createPatience, readBackupProgress } from "#agent/steps/backup-progress.ts";

const stallMs = 60_000;

/** For how long the number goes on changing while the phase says nothing. */
function patienceMs(phase: "starting" | "copying" | "syncing"): number {
  const patience = createPatience(stallMs);
  let last = { value: patience(phase, 0), atMs: 0 };
  for (let atMs = 0; atMs < 20 * stallMs; atMs += 1_000) {
    const value = patience(phase, atMs);
    if (value !== last.value) last = { value, atMs };
  }
  return last.atMs + stallMs;
}

test("a checkpoint and the last fsync may say nothing for ten times as long as a copy", () => {
  expect(patienceMs("copying")).toBe(stallMs);
  expect(patienceMs("starting")).toBe(10 * stallMs);
  expect(patienceMs("syncing")).toBe(10 * stallMs);
});

test("each of the silent phases begins with its own patience", () => {
  const patience = createPatience(stallMs);
  patience("starting", 0);
  expect(patience("starting", 9 * stallMs)).toBe(18);
  expect(patience("copying", 9 * stallMs)).toBe(0);
  expect(patience("syncing", 10 * stallMs)).toBe(0);
  expect(patience("syncing", 11 * stallMs)).toBe(2);
});

test("the checkpoint is over when the program says so, before the first byte is counted", () => {
  const waiting = ["pg_basebackup: initiating base backup, waiting for checkpoint to complete"];
  expect(readBackupProgress([]).phase).toBe("starting");
  expect(readBackupProgress(waiting).phase).toBe("starting");
  const completed = [...waiting, "pg_basebackup: checkpoint completed"];
  expect(readBackupProgress(completed).phase).toBe("copying");
  // What the 9.6 line says with -v.
  const older = ["transaction log start point: 0/2000028 on timeline 1"];
  expect(readBackupProgress(older).phase).toBe("copying");
});
