import { expect, test } from "vitest";
import { createPatience } from "#agent/steps/backup-progress.ts";

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
