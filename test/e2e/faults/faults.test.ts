import { expect, onTestFinished, test } from "vitest";
import { mountDisk } from "#test/harness/faults/disk.ts";
import { isStopped, stopTree } from "#test/harness/faults/process.ts";
import { slowFsync } from "#test/harness/faults/slow-fsync.ts";
import type { Host } from "#test/harness/host.ts";
import { testLab } from "#test/harness/test-lab.ts";
import { waitFor } from "#test/harness/wait-for.ts";

const hosts = [{ name: "srv159", address: "192.168.4.159" }] as const;

test("a disk is full, without inodes or read-only until it is healed, and keeps what the folder held", async () => {
  const host = (await testLab({ hosts })).host("srv159");
  await host.makeDirectory("/srv/data", { owner: "postgres", mode: 0o700 });
  await host.writeFile("/srv/data/old", "before", { owner: "postgres" });
  {
    await using disk = await mountDisk(host, "/srv/data", { sizeMb: 32, owner: "postgres" });
    expect(await writes(host, "/srv/data/new")).toBe("");
    expect(await host.readFile("/srv/data/old")).toBe("before");
    expect(host.exists("/srv/data/new")).toBe(true);
    {
      await using _full = await disk.fill();
      expect(await disk.freeBytes()).toBe(0);
      expect(await writes(host, "/srv/data/more")).toContain("No space left on device");
    }
    expect(await writes(host, "/srv/data/more")).toBe("");
    {
      await using _none = await disk.useUpInodes();
      expect(await writes(host, "/srv/data/third")).toContain("No space left on device");
      expect(await disk.freeBytes()).toBeGreaterThan(1024 * 1024);
    }
    expect(await writes(host, "/srv/data/third")).toBe("");
    const open = await host.spawn(["sh", "-c", "exec 3> /srv/data/open; exec sleep 60"]);
    onTestFinished(() => open.kill("SIGKILL"));
    const broken = await disk.failReadOnly();
    expect(await writes(host, "/srv/data/fourth")).toContain("Read-only file system");
    open.kill("SIGKILL");
    await open.exited;
    await broken.heal();
    expect(await writes(host, "/srv/data/fourth")).toBe("");
  }
  expect((await host.exec(["ls", "/srv/data"])).stdout.trim()).toBe("old");
});

test("a stopped process and its children do nothing until they are healed", async () => {
  const host = (await testLab({ hosts })).host("srv159");
  const parent = await host.spawn(["sh", "-c", "sleep 60 & wait"]);
  onTestFinished(() => parent.kill("SIGKILL"));
  const stopped = await stopTree(parent.pid);
  expect(isStopped(parent.pid)).toBe(true);
  await stopped.heal();
  await waitFor(() => !isStopped(parent.pid), { what: "the process to go on" });
  await stopTree(parent.pid);
  parent.kill("SIGKILL");
  expect(await parent.exited).not.toBe(0);
});

test("a slow fsync takes as long as it is told to, and its usual time when it is healed", async () => {
  const host = (await testLab({ hosts })).host("srv159");
  const script = `const { openSync, fsyncSync, writeSync } = require("node:fs");
    const file = openSync("/tmp/synced", "w");
    setInterval(() => {
      writeSync(file, "x");
      const from = performance.now();
      fsyncSync(file);
      console.log(Math.round(performance.now() - from));
    }, 20);`;
  const program = await host.spawn([host.nodePath, "-e", script]);
  onTestFinished(() => program.kill("SIGKILL"));
  const slow = await slowFsync(program.pid, 300);
  await says(program.stdout, (ms) => ms >= 300);
  await slow.heal();
  await says(program.stdout, (ms) => ms < 300);
});

async function writes(host: Host, file: string): Promise<string> {
  const argv = ["dd", "if=/etc/hostname", `of=${file}`, "status=none"];
  return (await host.exec(argv, { user: "postgres", reject: false })).stderr;
}

/** Until a program, which says numbers without end, says one that fits. */
async function says(
  stream: NodeJS.ReadableStream | null,
  fits: (value: number) => boolean,
): Promise<void> {
  const seen: number[] = [];
  const listen = (chunk: Buffer | string): void => {
    seen.push(...String(chunk).trim().split("\n").map(Number));
  };
  stream?.on("data", listen);
  try {
    await waitFor(() => seen.some(fits), { what: "a fitting number" });
  } catch (cause) {
    throw new Error(`said ${seen.join(" ")}`, { cause });
  } finally {
    stream?.off("data", listen);
  }
}
