import { EventEmitter } from "node:events";
import { tmpdir } from "node:os";
import { expect, test, vi } from "vitest";
import { watchDirectory } from "#agent/watch/watch-directory.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const watchers = vi.hoisted((): EventEmitter[] => []);
// The one library that asks the kernel: what it does without a watch left can't be had on a machine that is shared.
vi.mock("chokidar", () => ({
  watch: () => {
    const watcher = Object.assign(new EventEmitter(), { close: () => Promise.resolve() });
    watchers.push(watcher);
    return watcher;
  },
}));

test("a directory that the kernel does not watch is told of, and armed anew by the next poll", async () => {
  const troubles: unknown[] = [];
  const watching = watchDirectory(
    tmpdir(),
    (name) => name === "a.conf",
    () => undefined,
    (error) => troubles.push(error),
  );
  const first = await waitFor(() => watchers[0]);
  await watching.rearmIfReplaced();
  expect(watchers).toHaveLength(1);
  const error = new Error("ENOSPC: System limit for number of file watchers reached");
  first.emit("error", error);
  expect(troubles).toEqual([error]);
  await watching.rearmIfReplaced();
  expect(watchers).toHaveLength(2);
  await watching.rearmIfReplaced();
  expect(watchers).toHaveLength(2);
  await watching[Symbol.asyncDispose]();
});
