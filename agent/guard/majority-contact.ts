import { uptime } from "node:os";
import { writeFile } from "node:fs/promises";
import * as z from "zod";
import { readSmallFile } from "../adapters/local-system.ts";
import { asciiJson, removePrivateFile } from "../adapters/private-file.ts";
import { mayTakeWrites, reachOf } from "../decide/isolation.ts";
import type { GuardView } from "../decide/view.ts";

const Stored = z.strictObject({ bootId: z.string(), uptimeMs: z.number() });

/** When a majority of the voters was reached last, by the host's uptime: an agent that is started again counts on from there. */
export type MajorityContact = AsyncDisposable & {
  agoMs(): number;
  /** After every look of the guard. */
  attend(view: GuardView, isArmed: boolean): void;
};

/** An agent that dies before the first look without a majority loses no more than this. */
const writeEveryMs = 5_000;

export async function openMajorityContact(
  stateDirectory: string,
  uptimeMs = () => uptime() * 1_000,
): Promise<MajorityContact> {
  const bootId = (await readSmallFile("/proc/sys/kernel/random/boot_id"))?.trim() ?? "";
  const path = `${stateDirectory}/majority-contact.json`;
  let atMs = (await storedFor(bootId, path)) ?? uptimeMs();
  let writtenMs = Number.NEGATIVE_INFINITY;
  let writing: Promise<void> | null = null;
  return {
    agoMs: () => Math.max(0, uptimeMs() - atMs),
    attend: (view, isArmed) => {
      if (reachOf(view)?.hasMajority !== true) return;
      atMs = uptimeMs();
      if (!isArmed || !mayTakeWrites(view) || writing !== null || atMs - writtenMs < writeEveryMs) return; // prettier-ignore
      writtenMs = atMs;
      // Not synced: it has to outlive this process, and the database does not outlive the host's power either. In place, in
      // one write: what is torn counts as none.
      writing = writeFile(path, asciiJson({ bootId, uptimeMs: atMs }), { mode: 0o600 })
        .catch(() => undefined) // of a disk that can't be written another rule tells
        .finally(() => (writing = null));
    },
    // Ended in good order, it promises nothing any more.
    [Symbol.asyncDispose]: async () => {
      await writing;
      await removePrivateFile(path);
    },
  };
}

async function storedFor(bootId: string, path: string): Promise<number | null> {
  try {
    const stored = Stored.parse(JSON.parse((await readSmallFile(path)) ?? ""));
    return stored.bootId === bootId ? stored.uptimeMs : null;
  } catch {
    return null; // none, or torn
  }
}
