import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { undoOwnFile, writeOwnFile } from "#agent/steps/own-file.ts";
import type { StepContext } from "#agent/ports.ts";
import { openPorts } from "../agent/real-ports.ts";

test("a second attempt that dies before its write leaves the first one's file to undo", async () => {
  await using home = await openPorts();
  const context: StepContext = {
    ...home.ports,
    operationId: "op-abcdefgh",
    stepId: "test",
    signal: new AbortController().signal,
    progress: () => undefined,
  };
  const path = join(home.folder, "data/etc/recovery.done");
  await writeOwnFile(context, "node-files", { path, text: "first", mode: 0o600 });
  const replace = () => Promise.reject(new Error("killed"));
  const dying = { ...context, files: { ...context.files, replace } };
  const second = writeOwnFile(dying, "node-files", { path, text: "second", mode: 0o600 });
  await expect(second).rejects.toThrow("killed");
  expect(await undoOwnFile(context, path)).toBe(`${path} removed`);
  expect(await readdir(join(home.folder, "data/etc"))).toEqual([]);
});
