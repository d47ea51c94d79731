import { dirname } from "node:path";
import type { CommandArgs, CommandResult } from "#shared/domain/commands.ts";
import {
  isListening,
  isMountPoint,
  isRunnable,
  isWritable,
  userName,
} from "../adapters/host-probe.ts";
import { localAddresses, readSmallFile } from "../adapters/local-system.ts";
import { Failure } from "#shared/errors.ts";
import type { StepContext } from "../ports.ts";
import { backupMarker } from "./backup-records.ts";
import { ledgerKey } from "./ledger-keys.ts";
import { missingExtensions, missingLibraries } from "./probe-libraries.ts";
import { pingAll } from "./probe-ping.ts";
import type { ReadStep } from "./step.ts";

type Args = CommandArgs<"probe-target">;
type Result = CommandResult<"probe-target">;

/** All that preflight must know of the new host, looked at side by side. Nothing is made, not even for a moment. */
export const probeTarget: ReadStep<"probe-target"> = {
  verify: async (args, context) => {
    const [dataDirectory, stagingState, portInUse, directories, programs, trustReachable] =
      await Promise.all([
        lookAtDataDirectory(args.dataDirectory, context),
        lookAtStaging(args.stagingDirectory, context),
        isListening(args.port),
        Promise.all(args.directories.map((path) => lookAtDirectory(path, context))),
        missingPrograms(context),
        pingAll(args.trustAddresses, context),
      ]);
    const addresses = localAddresses();
    const [libraries, extensions, locales, licenceFile, kernel] = await Promise.all([
      missingLibraries(args.sharedPreloadLibraries, context),
      missingExtensions(args.extensions, context),
      listLocales(context),
      lookForLicence(context),
      readKernelSettings(),
    ]);
    return {
      dataDirectory,
      stagingState,
      portInUse,
      addressIsLocal: isLocal(args.address, addresses),
      nicPrefix: nicPrefixOf(args, addresses),
      directories,
      missingLibraries: libraries,
      missingExtensions: extensions,
      missingPrograms: programs,
      locales,
      licenceFile,
      trustReachable,
      kernel,
      clockMs: context.clock.now(),
    };
  },
};

const shownEntries = 20;

async function lookAtDataDirectory(
  path: string,
  context: StepContext,
): Promise<Result["dataDirectory"]> {
  const found = await context.files.stat(path);
  const parentWritable = isAllowed(path, context) && (await isWritable(dirname(path)));
  const base = { isMountPoint: await isMountPoint(path), entries: [], parentWritable };
  if (found === null) return { ...base, state: "absent", mode: null, owner: null };
  const known = { ...base, mode: found.mode, owner: await userName(found.uid) };
  if (found.kind !== "directory") return { ...known, state: "not-a-directory" };
  try {
    const entries = (await context.files.list(path)).slice(0, shownEntries);
    return { ...known, state: entries.length === 0 ? "empty" : "not-empty", entries };
  } catch (error) {
    if (error instanceof Failure) return { ...known, state: "unreadable" };
    throw error;
  }
}

/** `ours`: the ledger or the marker beside it says that a copy of ours was made there. */
async function lookAtStaging(path: string, context: StepContext): Promise<Result["stagingState"]> {
  if ((await context.files.stat(path)) === null) return "absent";
  const noted = await context.ledger.get(ledgerKey.tree(path));
  const marked = await context.files.stat(backupMarker(path));
  return noted !== null || marked !== null ? "ours" : "foreign";
}

async function lookAtDirectory(
  path: string,
  context: StepContext,
): Promise<Result["directories"][number]> {
  const exists = (await context.files.stat(path)) !== null;
  // Of what is there already the server writes, not we: the allow-list is about what we would make.
  const writable = (exists || isAllowed(path, context)) && (await isWritable(path));
  const { freeBytes, freeInodes, type } = await context.files.filesystem(path);
  return { path, exists, writable, freeBytes, freeInodes, type };
}

function isAllowed(path: string, { settings }: StepContext): boolean {
  return settings.allow.paths.some((root) => path === root || path.startsWith(`${root}/`));
}

async function missingPrograms({ product, settings }: StepContext): Promise<string[]> {
  const { server, ctl, baseBackup, controlData } = product.programs;
  const paths = [server, ctl, baseBackup, controlData].map(
    (name) => `${settings.paths.binDirectory}/${name}`,
  );
  const runnable = await Promise.all(paths.map(isRunnable));
  return paths.filter((_, index) => runnable[index] !== true);
}

type Addresses = ReturnType<typeof localAddresses>;

function isLocal(address: string, addresses: Addresses): boolean {
  // The whole of 127.0.0.0/8 is this host without being listed.
  return address.startsWith("127.") || addresses.some((local) => local.address === address);
}

/** Of the address on that interface; of the interface's first one where the address is not there yet. */
function nicPrefixOf(args: Args, addresses: Addresses): number | null {
  if (args.nic === null) return null;
  const family = args.address.includes(":") ? "ipv6" : "ipv4";
  const there = addresses.filter((local) => local.nic === args.nic && local.family === family);
  const exact = there.find((local) => local.address === args.address);
  return (exact ?? there[0])?.prefix ?? null;
}

async function listLocales(context: StepContext): Promise<string[]> {
  try {
    const { stdout } = await context.programs.run("locale", ["-a"], { timeoutMs: 10_000 });
    return stdout.split("\n").filter((line) => line !== "");
  } catch (error) {
    // Not allowed or not there: every C library has these two.
    if (error instanceof Failure) return ["C", "POSIX"];
    throw error;
  }
}

async function lookForLicence({
  product,
  settings,
  files,
}: StepContext): Promise<Result["licenceFile"]> {
  const { root } = settings.paths;
  if (product.vendor === null || root === null) return "not-needed";
  const found = await files.stat(product.vendor.licenceFile(root));
  return found === null ? "missing" : "present";
}

/** Settings of the kernel that a database's start or steadiness depends on. */
const kernelFiles = {
  "kernel.shmmax": "/proc/sys/kernel/shmmax",
  "kernel.shmall": "/proc/sys/kernel/shmall",
  "kernel.sem": "/proc/sys/kernel/sem",
  "vm.overcommit_memory": "/proc/sys/vm/overcommit_memory",
  "vm.swappiness": "/proc/sys/vm/swappiness",
  "fs.file-max": "/proc/sys/fs/file-max",
  "kernel.pid_max": "/proc/sys/kernel/pid_max",
  selinux: "/sys/fs/selinux/enforce",
} as const;

async function readKernelSettings(): Promise<Record<string, string>> {
  const entries = await Promise.all(
    Object.entries(kernelFiles).map(async ([name, path]) => {
      const text = await readSmallFile(path);
      return text === null ? [] : [[name, text.trim().replaceAll(/\s+/g, " ")] as const];
    }),
  );
  return Object.fromEntries(entries.flat());
}
