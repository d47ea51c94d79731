import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { createProcessWatch } from "#agent/watch/process-watch.ts";
import { waitFor } from "#test/harness/wait-for.ts";

test("the end of the process that is followed is told once, and none of one that is followed no more", async () => {
  const told: string[] = [];
  const [first, second] = [spawn("sleep", ["60"]), spawn("sleep", ["60"])];
  try {
    using watch = createProcessWatch(() => told.push("gone"));
    using other = createProcessWatch(() => told.push("other"));
    watch.follow(first.pid ?? null);
    other.follow(second.pid ?? null);
    other.follow(null);
    second.kill("SIGKILL");
    first.kill("SIGKILL");
    await waitFor(() => told.length > 0);
    watch.follow(null);
    expect(told).toEqual(["gone"]);
  } finally {
    first.kill("SIGKILL");
    second.kill("SIGKILL");
  }
});
