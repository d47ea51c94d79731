import { basename, dirname } from "node:path";
import type { FileFacts } from "#shared/domain/facts.ts";
import { watchDirectory, type DirectoryWatch } from "./watch-directory.ts";
import type { HostEvent } from "../host-event.ts";
import type { FileObserver, WatchedFile } from "../observe/files.ts";
import type { Ports } from "../ports.ts";
import { acceptedEvent, driftEvent } from "./drift-event.ts";
import type { ExpectedChanges } from "./expected-changes.ts";
import { createWatchRecords, type WatchRecord } from "./watch-records.ts";

export type FileWatchOptions = {
  readonly ports: Pick<Ports, "settings" | "clock" | "log">;
  readonly files: FileObserver;
  readonly expected: ExpectedChanges;
  readonly onHostEvent: (event: HostEvent) => void;
  /** Some watched file is not as it was at the last look. */
  readonly onChange: () => void;
};

export type FileWatch = AsyncDisposable & {
  setBaselines(files: readonly { readonly path: string; readonly hash: string | null }[]): void;
  /** The backstop of missed events: looks at every file, and whether directories were replaced. */
  poll(options?: { readonly again?: boolean }): Promise<void>;
};

/** Long enough for an editor's second write and for the file system's clock to tick; far below a second. */
const rereadAfterMs = 100;

/** Our own edits become baselines when their command's end is journaled: seconds later, or after a lost link. */
const acceptWithinMs = 3_600_000;

/**
 * Drift of watched files. A file is looked at 100 ms after an event and once more after that, and compared with:
 *  the baseline  - what the coordinator accepted last; while it has none for a path, the path can't drift
 *  expected      - what our own commands wrote and the coordinator may not have accepted yet
 * One look at a time, over files in order, so that events about one file never overtake each other.
 */
export async function createFileWatch(options: FileWatchOptions): Promise<FileWatch> {
  const { files, expected, ports } = options;
  const store = createWatchRecords(`${ports.settings.stateDirectory}/watch`);
  const records = new Map<string, WatchRecord>();
  for (const { path } of files.watched) {
    const record = await store.load(path);
    records.set(path, record);
    for (const hash of record.expected) expected.expect(path, hash);
  }
  /** null: this process has not been told any yet, so nothing on disk may be taken for outdated. */
  let baselines: ReadonlyMap<string, string | null> | null = null;
  /** What was reported last in this process: after a restart, or new baselines, drift is told again. */
  const reported = new Map<string, FileFacts>();
  const seen = new Map<string, FileFacts>();
  let queue: Promise<void> = Promise.resolve();
  let isClosed = false;

  function inTurn(work: () => Promise<void>): Promise<void> {
    queue = queue.then(work).catch((error: unknown) => {
      ports.log.error({ error }, "A look at the watched files failed; the next poll tries again.");
    });
    return queue;
  }

  async function lookAt(wanted: readonly WatchedFile[], again = false): Promise<void> {
    let hasChanged = false;
    for (const file of wanted) {
      if (isClosed) return;
      const facts = await files.look(file, { again });
      if (seen.get(file.path) !== facts) hasChanged = true;
      seen.set(file.path, facts);
      await compare(file.path, facts);
    }
    if (hasChanged) options.onChange();
  }

  async function compare(path: string, facts: FileFacts): Promise<void> {
    const record = records.get(path);
    if (record === undefined) return;
    const present = { acceptedHash: facts.hash, acceptedText: facts.maskedText };
    const baseline = baselines?.get(path);
    if (baseline === undefined) {
      // Not accepted yet, but what the coordinator will most likely accept: its first sight.
      if (baselines !== null || record.acceptedHash === null) await keep({ ...record, ...present });
      return;
    }
    if (isAt(facts, baseline) || isExpectedNow(path, facts, baseline)) {
      reported.delete(path);
      if (record.isRaised) options.onHostEvent(acceptedEvent(path, ports.clock.now()));
      await keep({ ...record, ...present, isRaised: false });
      return;
    }
    if (reported.get(path) === facts) return;
    reported.set(path, facts);
    const text = record.acceptedHash === baseline ? record.acceptedText : null;
    const isOurs = expected.of(path).includes(record.acceptedHash);
    const accepted = isOurs
      ? { hash: record.acceptedHash, text: record.acceptedText }
      : { hash: baseline, text };
    options.onHostEvent(driftEvent(facts, accepted, ports.clock.now()));
    await keep({ ...record, isRaised: true });
  }

  function isExpectedNow(path: string, facts: FileFacts, baseline: string | null): boolean {
    return (
      (facts.state === "present" || facts.state === "absent") &&
      expected.isExpected(path, facts.hash, baseline)
    );
  }

  async function keep(record: WatchRecord): Promise<void> {
    const before = records.get(record.path);
    const now = { ...record, expected: [...expected.of(record.path)] };
    records.set(record.path, now);
    if (JSON.stringify(before) !== JSON.stringify(now)) await store.save(now);
  }

  const soon = createRereads((paths) => {
    void inTurn(() => lookAt(files.watched.filter((file) => paths.has(file.path))));
  });
  // On disk before the look that needs it, so that a restart in between raises nothing.
  expected.onExpect((path) => {
    const record = records.get(path);
    if (record !== undefined) void inTurn(() => keep(records.get(path) ?? record));
  });

  const troubled = new Set<string>();
  function tellTrouble(directory: string, err: unknown): void {
    // Said once: the poll tries to watch it again every time.
    if (troubled.has(directory)) return;
    troubled.add(directory);
    ports.log.warn(
      { directory, err, polled: ports.settings.guard.schedules.rehash },
      "The kernel does not tell of changes here (fs.inotify.max_user_watches?): its files are polled.",
    );
  }
  const watches: DirectoryWatch[] = [];
  for (const [directory, inside] of byDirectory(files.watched)) {
    const paths = inside.map((file) => file.path);
    watches.push(
      watchDirectory(
        directory,
        paths.map((path) => basename(path)),
        () => soon.schedule(paths),
        (error) => tellTrouble(directory, error),
      ),
    );
  }

  // The first sight: what the coordinator accepts first, and the first change's diff is shown against.
  await inTurn(() => lookAt(files.watched));

  return {
    setBaselines: (accepted) => {
      baselines = new Map(accepted.map(({ path, hash }) => [path, hash]));
      reported.clear();
      expected.forgetBefore(ports.clock.elapsedMs() - acceptWithinMs);
      void inTurn(() => lookAt(files.watched));
    },
    poll: async ({ again } = {}) => {
      await Promise.all(watches.map((watch) => watch.rearmIfReplaced()));
      await inTurn(() => lookAt(files.watched, again));
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      soon.stop();
      await Promise.all(watches.map((watch) => watch[Symbol.asyncDispose]()));
      await queue;
    },
  };
}

/** `null` is accepted absence. */
function isAt(facts: FileFacts, hash: string | null): boolean {
  return hash === null ? facts.state === "absent" : facts.hash === hash;
}

function byDirectory(watched: readonly WatchedFile[]): ReadonlyMap<string, readonly WatchedFile[]> {
  const directories = new Map<string, WatchedFile[]>();
  for (const file of watched) {
    const directory = dirname(file.path);
    directories.set(directory, [...(directories.get(directory) ?? []), file]);
  }
  return directories;
}

/** Two looks per burst of events: the first soon, the second for what was written while the first was waited for. */
function createRereads(look: (paths: ReadonlySet<string>) => void): {
  schedule(paths: readonly string[]): void;
  stop(): void;
} {
  let waiting = new Set<string>();
  let timer: NodeJS.Timeout | null = null;
  let second: NodeJS.Timeout | null = null;
  const fire = (): void => {
    const paths = waiting;
    waiting = new Set();
    timer = null;
    look(paths);
    if (second !== null) clearTimeout(second);
    second = setTimeout(() => look(paths), rereadAfterMs);
  };
  return {
    schedule: (paths) => {
      for (const path of paths) waiting.add(path);
      timer ??= setTimeout(fire, rereadAfterMs);
    },
    stop: () => {
      if (timer !== null) clearTimeout(timer);
      if (second !== null) clearTimeout(second);
    },
  };
}
