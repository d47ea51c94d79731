import type { ArchiverFacts } from "#shared/domain/facts.ts";
import { walFilePosition, walSegmentBytes } from "#shared/domain/wal-file.ts";
import { namesIn } from "../adapters/local-system.ts";
import type { Ports } from "../ports.ts";
import { walDirectory } from "./host.ts";

type Backlog = NonNullable<ArchiverFacts["backlog"]>;

/** A directory entry per segment that is still there: 16 MiB each, so this is 800 GiB of WAL. */
const mostNames = 50_000;
const everyMs = 10_000;

export type ArchiveBacklog = {
  look(settings: Readonly<Record<string, string>>, fresh: boolean): Promise<Backlog | null>;
};

/** Segments with a `.ready` mark: handed to the archiver, not archived yet (PostgreSQL docs, continuous archiving). */
export function createArchiveBacklog(ports: Pick<Ports, "settings" | "clock">): ArchiveBacklog {
  let seen: { readonly at: number; readonly backlog: Backlog | null } | null = null;
  return {
    look: async (settings, fresh) => {
      if (!["on", "always"].includes(settings["archive_mode"] ?? "")) return null;
      const now = ports.clock.elapsedMs();
      if (seen !== null && !fresh && now - seen.at < everyMs) return seen.backlog;
      const directory = await walDirectory(ports.settings.paths.dataDirectory);
      const names = await namesIn(`${directory}/archive_status`, mostNames);
      const backlog = names === null ? null : backlogOf(names, walSegmentBytes(settings));
      seen = { at: now, backlog };
      return backlog;
    },
  };
}

export function backlogOf(names: readonly string[], segmentBytes: number): Backlog {
  const waiting = names
    .filter((name) => name.endsWith(".ready"))
    .map((name) => name.slice(0, -".ready".length));
  const segments = waiting.flatMap((name) => {
    const position = walFilePosition(name, segmentBytes);
    return position === null ? [] : [{ name, position }];
  });
  let oldest = segments[0] ?? null;
  for (const segment of segments) {
    if (oldest === null || segment.position < oldest.position) oldest = segment;
  }
  return {
    count: waiting.length,
    bytes: segments.length * segmentBytes,
    oldestWal: oldest?.name ?? null,
    isCut: names.length >= mostNames,
  };
}
