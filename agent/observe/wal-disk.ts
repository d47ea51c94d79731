import type { WalDisk } from "#shared/domain/facts.ts";
import { walFilePosition } from "#shared/domain/wal-file.ts";
import { namesIn, spaceAt } from "../adapters/local-system.ts";
import { fillRate, keepSamples, type SpaceSample } from "../decide/disk-fill.ts";
import type { Ports } from "../ports.ts";
import { walDirectory } from "./host.ts";

export type WalDiskObserver = {
  /** As it is now; null where it can't be measured. */
  look(): Promise<WalDisk | null>;
  /** The last look, for facts: steady while only little changes. */
  shown(): WalDisk | null;
  /** Segments that the server has made ahead: recycled ones (PostgreSQL docs, WAL configuration). */
  spareBytes(position: number, segmentBytes: number): Promise<number>;
};

/** A change of less isn't worth a message. */
const leastNewsBytes = 16 * 1024 * 1024;
const mostSegments = 50_000;
/** Links are followed again so often: a stopped server's WAL may be moved. */
const seekEveryMs = 30_000;

/** The file system that the WAL really lies on, links followed: often another one than the data's. */
export function createWalDiskObserver(ports: Pick<Ports, "settings" | "clock">): WalDiskObserver {
  let samples: readonly SpaceSample[] = [];
  let seenIn = "";
  let soughtAt = Number.NEGATIVE_INFINITY;
  let news: WalDisk | null = null;

  return {
    shown: () => news,
    look: async () => {
      const { dataDirectory } = ports.settings.paths;
      const now = ports.clock.elapsedMs();
      const isKnown = seenIn !== "" && now - soughtAt < seekEveryMs;
      const directory = isKnown ? seenIn : await walDirectory(dataDirectory).catch(() => null);
      if (!isKnown) soughtAt = now;
      const space = directory === null ? null : await spaceAt(directory).catch(() => null);
      if (directory === null || space === null) return null;
      // A move to another file system is no fill.
      if (directory !== seenIn) samples = [];
      seenIn = directory;
      samples = keepSamples(samples, { at: now, freeBytes: space.freeBytes });
      const fillBytesPerSecond = fillRate(samples);
      const secondsToFull =
        fillBytesPerSecond === null ? null : Math.round(space.freeBytes / fillBytesPerSecond);
      const seen = { directory, ...space, fillBytesPerSecond, secondsToFull };
      if (isNews(news, seen)) news = seen;
      return seen;
    },
    spareBytes: async (position, segmentBytes) => {
      const names = (await namesIn(seenIn, mostSegments).catch(() => null)) ?? [];
      const ahead = names.filter((name) => (walFilePosition(name, segmentBytes) ?? -1) > position);
      return ahead.length * segmentBytes;
    },
  };
}

function isNews(before: WalDisk | null, now: WalDisk): boolean {
  if (before === null || before.directory !== now.directory) return true;
  if (before.totalBytes !== now.totalBytes) return true;
  const least = Math.max(leastNewsBytes, now.totalBytes / 1_000);
  if (Math.abs(before.freeBytes - now.freeBytes) >= least) return true;
  // Full within the hour, or no longer: that is told at once.
  return isSoon(before) !== isSoon(now);
}

function isSoon({ secondsToFull }: WalDisk): boolean {
  return secondsToFull !== null && secondsToFull < 3_600;
}
