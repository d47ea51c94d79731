import { rm } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import type { Host } from "../host.ts";
import { waitFor } from "../wait-for.ts";
import { faultUntil, type Fault } from "./fault.ts";

export type DiskOptions = {
  readonly sizeMb: number;
  /** Of the database's OS user: it owns the root of the new filesystem. */
  readonly owner: string;
  /** As many files as fit; ext4's own number when not given. */
  readonly inodes?: number;
};

/** A small filesystem of its own at a folder of a host, which can break as disks do. */
export type TestDisk = AsyncDisposable & {
  readonly mountPoint: string;
  /** Not a byte is left (or `leave` of them, about) until it is healed. */
  fill(leave?: { readonly bytes: number }): Promise<Fault>;
  /** No file can be made any more. */
  useUpInodes(): Promise<Fault>;
  /**
   * The kernel meets an error on it and takes it read-only, open files or not. To heal it nothing may have a file
   * open there: it is unmounted, checked by e2fsck and mounted again, as a person would.
   */
  failReadOnly(): Promise<Fault>;
  /** It stands still: who writes waits, and not even SIGKILL ends it. What is open can be read. */
  freeze(): Promise<Fault>;
  freeBytes(): Promise<number>;
  /** After a power loss, what fstab does at boot. */
  mountAgain(): Promise<void>;
};

const ballast = ".ballast-of-the-test";
let counter = 0;

/** What others remove meanwhile is no space for anybody: it is filled at once. */
const fillAgainAndAgain = `while :; do
  dd if=/dev/zero of="$0" oflag=append conv=notrunc bs=4k 2> /dev/null
  sleep 0.02
done`;

/**
 * Mounts a new ext4 filesystem over a folder of a host, holding what the folder held: nothing may write there
 * meanwhile. A power loss of the host unmounts it.
 */
export async function mountDisk(
  host: Host,
  mountPoint: string,
  { sizeMb, owner, inodes }: DiskOptions,
): Promise<TestDisk> {
  counter += 1;
  // Beside the host's private folders: no part of what a snapshot of its files sees.
  const image = join(host.path("/srv"), `../disk-${counter}.img`);
  await execa("truncate", ["-s", `${sizeMb}M`, image]);
  const files = inodes === undefined ? [] : ["-N", String(inodes)];
  // No blocks kept for root, no time lost on zeroing: the file is sparse.
  const lazily = ["-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", "-J", "size=4"];
  await execa("mkfs.ext4", ["-q", "-F", "-m", "0", "-b", "4096", ...lazily, ...files, image]);
  if (!host.exists(mountPoint)) await host.makeDirectory(mountPoint, { owner, mode: 0o700 });
  await attach(`${mountPoint}.mounting`, mountPoint);
  const inRoot = (argv: readonly string[]) => host.exec(argv, { timeoutMs: 120_000 });

  return {
    mountPoint,
    fill: async (leave = { bytes: 0 }) => {
      const file = `${mountPoint}/${ballast}`;
      // fallocate(1) takes all or nothing, so the rest is written: a server may take some WAL segments meanwhile.
      const rest = (leave.bytes === 0 ? 64 : 1) * 1024 * 1024;
      const most = Math.max(0, (await freeBytes()) - leave.bytes - rest);
      if (most > 0) await inRoot(["fallocate", "-l", String(most), file]);
      if (leave.bytes > 0) {
        return faultUntil(async () => {
          await inRoot(["rm", "-f", file]);
        });
      }
      const argv = ["sh", "-c", fillAgainAndAgain, file];
      const filler = await host.spawn(argv);
      await waitFor(async () => (await freeBytes()) === 0, { what: `${mountPoint} to be full` });
      return faultUntil(async () => {
        filler.kill("SIGKILL");
        await filler.exited;
        await inRoot(["rm", "-f", file]);
      });
    },
    useUpInodes: async () => {
      const folder = `${mountPoint}/${ballast}s`;
      const script =
        'mkdir "$0" && cd "$0" && i=0; while : > $i; do i=$((i + 1)); done 2> /dev/null';
      await host.exec(["sh", "-c", script, folder], { reject: false, timeoutMs: 120_000 });
      return faultUntil(async () => {
        await inRoot(["rm", "-rf", folder]);
      });
    },
    failReadOnly: async () => {
      const device = await deviceOf(image);
      if (device === null) throw new Error(`${mountPoint} is not mounted`);
      const trigger = `/sys/fs/ext4/${device.replace("/dev/", "")}/trigger_fs_error`;
      await execa("tee", [trigger], { input: "made by a test" });
      return faultUntil(async () => {
        await detach();
        const { exitCode } = await execa("e2fsck", ["-fy", image], { reject: false });
        if (exitCode === undefined || exitCode > 1)
          throw new Error(`e2fsck ended with ${exitCode}`);
        await inHostMount(mountPoint);
        // e2fsck wants it; a person who looks after an empty data directory removes it again.
        await host.exec(["rmdir", `${mountPoint}/lost+found`], { reject: false });
      });
    },
    freeze: async () => {
      await inRoot(["fsfreeze", "-f", mountPoint]);
      return faultUntil(async () => {
        await inRoot(["fsfreeze", "-u", mountPoint]);
      });
    },
    freeBytes,
    mountAgain: () => inHostMount(mountPoint),
    [Symbol.asyncDispose]: async () => {
      if (host.isUp()) await detach();
      await waitFor(async () => (await deviceOf(image)) === null, {
        what: `${image} to be let go`,
      });
      await rm(image);
    },
  };

  async function attach(temporary: string, place: string): Promise<void> {
    await host.exec(["mkdir", temporary]);
    await inHostMount(temporary);
    await host.exec(["rmdir", `${temporary}/lost+found`]);
    await host.exec(["cp", "-a", `${place}/.`, temporary]);
    await host.exec(["chown", `--reference=${place}`, temporary]);
    await host.exec(["umount", temporary]);
    await host.exec(["rmdir", temporary]);
    await waitFor(async () => (await deviceOf(image)) === null, { what: `${image} to be let go` });
    await inHostMount(place);
  }

  async function inHostMount(place: string): Promise<void> {
    const { stdout: device } = await execa("losetup", ["--find", "--show", image]);
    try {
      await host.exec(["mount", "-o", "errors=remount-ro", device, place]);
    } finally {
      // The kernel lets it go with the last mount, however that ends.
      await execa("losetup", ["-d", device]);
    }
  }

  async function detach(): Promise<void> {
    const { exitCode, stderr } = await host.exec(["umount", mountPoint], { reject: false });
    if (exitCode !== 0) {
      const { stdout } = await host.exec(["fuser", "-vm", mountPoint], { reject: false });
      throw new Error(`${mountPoint} is in use: ${stderr} ${stdout}`);
    }
    await waitFor(async () => (await deviceOf(image)) === null, { what: `${image} to be let go` });
  }

  async function freeBytes(): Promise<number> {
    const { stdout } = await host.exec(["df", "--output=avail", "-B1", mountPoint]);
    return Number(stdout.trim().split("\n").at(-1));
  }
}

async function deviceOf(image: string): Promise<string | null> {
  const { stdout } = await execa("losetup", ["-n", "-O", "NAME", "-j", image]);
  return stdout.trim() === "" ? null : stdout.trim();
}
