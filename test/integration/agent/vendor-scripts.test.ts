import { execa } from "execa";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createScriptLook, runningVendorScripts } from "#agent/adapters/vendor-scripts.ts";
import { waitFor } from "#test/harness/wait-for.ts";

/** A script of the vendor's name that waits to be ended. */
async function vendorScript(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "castellan-vendor-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "network_rewind.sh");
  await writeFile(file, text, { mode: 0o755 });
  return file;
}

function start(program: string, args: readonly string[] = []): number {
  const child = execa(program, args, { stdin: "pipe", reject: false });
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await child;
  });
  return child.pid ?? 0;
}

const found = (pids: readonly { readonly pid: number; readonly script: string }[], pid: number) =>
  pids.find((one) => one.pid === pid)?.script ?? null;

test("a vendor script is seen however it was started, and who reads or edits one is not", async () => {
  const file = await vendorScript("#!/bin/sh\nread line\n");
  const withoutShebang = await vendorScript("read line\n");
  const scripts = [
    start(file),
    start("/bin/sh", [file]),
    start("/bin/sh", [withoutShebang, "start"]),
    start("/bin/sh", ["-c", `${file} >/dev/null; :`]),
  ];
  const others = [start("tail", ["-f", file]), start("/bin/sh", ["-c", `read x; echo ${file}`])];
  await waitFor(() => scripts.every((pid) => found(runningVendorScripts(), pid) !== null));
  for (const pid of others) expect(found(runningVendorScripts(), pid)).toBeNull();
});

test("looking again and again finds what began meanwhile, also in a shell that was there for long", async () => {
  const file = await vendorScript("#!/bin/sh\nread line\n");
  let now = 0;
  const look = createScriptLook({ elapsedMs: () => now });
  const shell = execa("/bin/sh", ["-c", `read x; exec ${file}`], { reject: false });
  onTestFinished(async () => {
    shell.kill("SIGKILL");
    await shell;
  });
  const pid = shell.pid ?? 0;
  const lookLater = () => {
    now += 60_000;
    return look();
  };
  expect(found(lookLater(), pid)).toBeNull();
  expect(found(lookLater(), pid)).toBeNull();
  shell.stdin.write("go\n");
  await waitFor(() => found(lookLater(), pid) === "network_rewind.sh");
  const newcomer = start(file);
  await waitFor(() => found(lookLater(), newcomer) === "network_rewind.sh");
  expect(found(lookLater(), pid)).toBe("network_rewind.sh");
});
