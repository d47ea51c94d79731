import { EventEmitter } from "node:events";
import { tmpdir } from "node:os";
import { basename } from "node:path";
import { expect, test, vi } from "vitest";
import { watchDirectory } from "#agent/watch/watch-directory.ts";

const kernel = vi.hoisted(() => ({ watches: 0, isExhausted: false, early: new Set<string>() }));
// What the kernel does without a watch left can't be had on a machine that is shared.
vi.mock("node:fs", async (original) => ({
  ...(await original<typeof import("node:fs")>()),
  watch: (_: string, tell: (event: string, name: string) => void) => {
    kernel.watches += 1;
    if (kernel.isExhausted) {
      throw new Error("ENOSPC: System limit for number of file watchers reached");
    }
    queueMicrotask(() => {
      for (const name of kernel.early) tell("rename", name);
      kernel.early.clear();
    });
    return Object.assign(new EventEmitter(), { close: () => undefined });
  },
}));

test("a directory that the kernel does not watch is known with the reason, and armed anew by a later poll", async () => {
  kernel.isExhausted = true;
  await using watching = watchDirectory(
    tmpdir(),
    (name) => name === "a.conf",
    () => undefined,
  );
  await watching.rearmIfReplaced();
  expect(watching.problem()).toContain("ENOSPC");
  kernel.isExhausted = false;
  await watching.rearmIfReplaced();
  expect(watching.problem()).toBeNull();
  const { watches } = kernel;
  await watching.rearmIfReplaced();
  expect(kernel.watches).toBe(watches);
});

test("a directory that is replaced while it is being armed is armed anew, and keeps no poll waiting", async () => {
  kernel.early.add(basename(tmpdir()));
  const { watches } = kernel;
  await using watching = watchDirectory(
    tmpdir(),
    (name) => name === "a.conf",
    () => undefined,
  );
  await watching.rearmIfReplaced();
  expect(kernel.watches).toBe(watches + 2);
});
