import { EventEmitter } from "node:events";
import { tmpdir } from "node:os";
import { expect, test, vi } from "vitest";
import { watchDirectory } from "#agent/watch/watch-directory.ts";

const kernel = vi.hoisted(() => ({ watches: 0, isExhausted: false }));
// What the kernel does without a watch left can't be had on a machine that is shared.
vi.mock("node:fs", async (original) => ({
  ...(await original<typeof import("node:fs")>()),
  watch: () => {
    if (kernel.isExhausted) throw new Error("ENOSPC: System limit for number of file watchers");
    kernel.watches += 1;
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
  await watching.rearmIfReplaced();
  expect(kernel.watches).toBe(1);
});
