import { mkdir, readdir, readFile, stat, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeOwnDirectory } from "#agent/steps/own-directory.ts";
import { undoOwnFile, writeOwnFile } from "#agent/steps/own-file.ts";
import type { StepContext } from "#agent/ports.ts";
import { openPorts } from "../agent/real-ports.ts";

test("what somebody put there after the plan was made is not replaced, and its secrets are not shown", async () => {
  await using home = await openPorts();
  const context = contextOf(home);
  const path = join(home.folder, "data/etc/recovery.done");
  const own = { path, text: "primary_conninfo = 'host=a password=ours'\n", mode: 0o600 };
  await mkdir(join(home.folder, "data/etc"), { recursive: true });
  await writeFile(path, "primary_conninfo = 'host=b password=theirs'\n");
  const refused = writeOwnFile(context, "node-files", own, null);
  await expect(refused).rejects.toMatchObject({
    code: "OPERATION_CONFLICT",
    message: expect.stringMatching(/planned against no file, found sha256 [0-9a-f]{12}$/),
    evidence: expect.arrayContaining([expect.stringContaining("-primary_conninfo = 'host=b")]),
  });
  const said = JSON.stringify(await refused.catch((error: unknown) => error));
  expect(said).not.toMatch(/ours|theirs/);
  expect(await readFile(path, "latin1")).toContain("theirs");
  // Moved away it is written, and written again over what is ours, but not over a later edit.
  await unlink(path);
  await writeOwnFile(context, "node-files", own, null);
  await writeOwnFile(context, "node-files", { ...own, text: "again" }, null);
  await writeFile(path, "by hand");
  await expect(writeOwnFile(context, "node-files", own, null)).rejects.toMatchObject({
    code: "OPERATION_CONFLICT",
  });
});

test("a second attempt that dies before its write leaves the first one's file to undo", async () => {
  await using home = await openPorts();
  const context = contextOf(home);
  const path = join(home.folder, "data/etc/recovery.done");
  await writeOwnFile(context, "node-files", { path, text: "first", mode: 0o600 });
  const replace = () => Promise.reject(new Error("killed"));
  const dying = { ...context, files: { ...context.files, replace } };
  const second = writeOwnFile(dying, "node-files", { path, text: "second", mode: 0o600 });
  await expect(second).rejects.toThrow("killed");
  expect(await undoOwnFile(context, path)).toBe(`${path} removed`);
  expect(await readdir(join(home.folder, "data/etc"))).toEqual([]);
});

test("a directory whose making was cut off before it got its mode gets it at the next attempt", async () => {
  await using home = await openPorts();
  const context = contextOf(home);
  const own = { path: join(home.folder, "data/etc/recovery.done"), text: "x", mode: 0o600 };
  await mkdir(join(home.folder, "data"));
  const makeDirectory = async (path: string) => {
    await mkdir(path, { mode: 0o700 });
    throw new Error("killed");
  };
  const dying = { ...context, files: { ...context.files, makeDirectory } };
  await expect(writeOwnFile(dying, "node-files", own)).rejects.toThrow("killed");
  await writeOwnFile(context, "node-files", own);
  expect((await stat(join(home.folder, "data/etc"))).mode & 0o777).toBe(0o775);
});

test("a directory of ours keeps the mode that it was made with when a file is written into it", async () => {
  await using home = await openPorts();
  const context = contextOf(home);
  const folder = join(home.folder, "data/private");
  await makeOwnDirectory(context, folder, 0o700);
  await writeOwnFile(context, "node-files", { path: join(folder, "x"), text: "x", mode: 0o600 });
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
});

test("a write that was cut off before its file is not noted twice", async () => {
  await using home = await openPorts();
  const context = contextOf(home);
  const own = { path: join(home.folder, "data/etc/recovery.done"), text: "x", mode: 0o600 };
  const replace = () => Promise.reject(new Error("killed"));
  const dying = { ...context, files: { ...context.files, replace } };
  await expect(writeOwnFile(dying, "node-files", own)).rejects.toThrow("killed");
  await writeOwnFile(context, "node-files", own);
  expect((await context.ledger.get(`file:${own.path}`))?.facts).toMatchObject({
    writtenBefore: [],
  });
});

function contextOf({ ports }: Awaited<ReturnType<typeof openPorts>>): StepContext {
  return {
    ...ports,
    operationId: "op-abcdefgh",
    stepId: "test",
    signal: new AbortController().signal,
    progress: () => undefined,
  };
}
