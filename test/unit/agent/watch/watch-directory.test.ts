import { EventEmitter } from "node:events";
import { tmpdir } from "node:os";
import { expect, test, vi } from "vitest";
import { watchDirectory } from "#agent/watch/watch-directory.ts";

const kernel = vi.hoisted(() => ({ watches: 0, isExhausted: false }));
// The one library that asks the kernel: what it does without a watch left can't be had on a machine that is shared.
vi.mock("chokidar", () => ({
  watch: () => {
    const watcher = Object.assign(new EventEmitter(), { close: () => Promise.resolve() });
    kernel.watches += 1;
    queueMicrotask(() => {
      if (kernel.isExhausted) {
        watcher.emit("error", new Error("ENOSPC: System limit for number of file watchers"));
      }
      watcher.emit("ready");
    });
    return watcher;
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
