import { copyFile, mkdir, open, rename, stat } from "node:fs/promises";
import { Failure } from "#shared/errors.ts";
import { syncDirectory } from "./atomic-write.ts";
import { orNull } from "./file-failure.ts";
import { spaceAt } from "./local-system.ts";

export type WalArchive = {
  /** Below the agent's state directory. */
  readonly folder: string;
  readonly sources: readonly string[];
  readonly mostBytes: number;
  /** Left free on that file system. */
  readonly reserveBytes: number;
};

/**
 * Keeps copies of WAL segments, on disk when this answers; those that are there already stay. Answers their bytes.
 * @throws Failure RESOURCE_MISSING where they are more than is allowed, or than there is room for
 */
export async function archiveWal(archive: WalArchive): Promise<number> {
  const { folder, sources, mostBytes, reserveBytes } = archive;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  let bytes = 0;
  const missing: { readonly from: string; readonly to: string }[] = [];
  let neededBytes = 0;
  for (const from of sources) {
    const { size } = await stat(from);
    const to = `${folder}/${from.slice(from.lastIndexOf("/") + 1)}`;
    bytes += size;
    if ((await orNull(stat(to)))?.size === size) continue;
    neededBytes += size;
    missing.push({ from, to });
  }
  if (bytes > mostBytes) {
    throw new Failure(
      "RESOURCE_MISSING",
      `${bytes} bytes of WAL would have to be kept, ${mostBytes} are allowed`,
      {
        // prettier-ignore
        hint: "Raise guard.divergedWalBytes in agent.yaml and restart the agent, or copy this node anew.",
        evidence: sources.slice(0, 3),
      },
    );
  }
  const free = (await spaceAt(folder))?.freeBytes ?? 0;
  if (neededBytes > 0 && neededBytes + reserveBytes > free) {
    throw new Failure(
      "RESOURCE_MISSING",
      `${neededBytes} bytes of WAL have to be kept in ${folder}, and ${free} are free there`,
      {
        // prettier-ignore
        hint: `Make room: ${reserveBytes} bytes stay free (guard.slots.reserveBytes).`,
        retryable: true,
      },
    );
  }
  for (const { from, to } of missing) {
    await copyFile(from, `${to}.new`);
    await sync(`${to}.new`);
    await rename(`${to}.new`, to);
  }
  await syncDirectory(folder);
  return bytes;
}

async function sync(path: string): Promise<void> {
  await using file = await open(path, "r+");
  await file.sync();
}
