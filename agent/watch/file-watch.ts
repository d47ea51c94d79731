import { isDeepStrictEqual } from "node:util";
import { silentPlaces } from "../adapters/answering.ts";
import { asFailure } from "#shared/errors.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import type { Baseline } from "#shared/protocol/messages.ts";
import { overruledEdits } from "../decide/overruled-edits.ts";
import type { HostEvent } from "../host-event.ts";
import { maskedText, type FileObserver, type WatchedFile } from "../observe/files.ts";
import type { Ports } from "../ports.ts";
import { acceptedEvent, driftEvent } from "./drift-event.ts";
import type { ExpectedChanges } from "./expected-changes.ts";
import { createRereads } from "./rereads.ts";
import { createWatchRecords, type WatchRecord } from "./watch-records.ts";
import { createWatchTroubles } from "./watch-troubles.ts";
import { createWatchedDirectories } from "./watched-directories.ts";

export type FileWatchOptions = {
  readonly ports: Pick<Ports, "settings" | "clock" | "log" | "files">;
  readonly files: FileObserver;
  readonly expected: ExpectedChanges;
  readonly onHostEvent: (event: HostEvent) => void;
  /** Some watched file is not as it was at the last look. */
  readonly onChange: () => void;
};

export type FileWatch = AsyncDisposable & {
  setBaselines(files: readonly Baseline[]): void;
  /** The backstop of missed events: looks at every file, and whether directories were replaced. */
  poll(options?: { readonly again?: boolean }): Promise<void>;
};

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
  /** null: this process has not been told any yet, so nothing on disk may be taken for outdated. */
  let baselines: ReadonlyMap<string, Baseline> | null = null;
  /** What was reported last in this process: after a restart, or new baselines, drift is told again. */
  const reported = new Map<string, FileFacts>();
  const seen = new Map<string, FileFacts>();
  /** With what is accepted and expected now. */
  const compared = new Set<string>();
  /** Records that could not be written: tried again by every poll. */
  const unsaved = new Map<string, string>();
  const troubles = await createWatchTroubles(ports, options.onHostEvent);
  let queue: Promise<void> = Promise.resolve();
  let isClosed = false;

  function inTurn(work: () => Promise<void>): Promise<void> {
    queue = queue.then(work).catch((error: unknown) => {
      ports.log.error({ error }, "A look at the watched files failed; the next poll tries again.");
    });
    return queue;
  }

  /** Before a file's first look. */
  async function begin(): Promise<readonly WatchedFile[]> {
    const fresh = files.watched().filter(({ path }) => !records.has(path));
    for (const { path, origin } of fresh) {
      const record = { ...(await store.load(path)), origin: origin ?? null };
      for (const hash of record.expected) expected.expect(path, hash);
      ports.files.versions.pin(path, baselines?.get(path)?.hash ?? record.acceptedHash);
      records.set(path, record);
    }
    await directories.include(
      fresh.map(({ path }) => path),
      files.includeDirectories(),
    );
    return fresh;
  }

  async function lookAt(paths: ReadonlySet<string> | "all", again = false): Promise<void> {
    let hasChanged = false;
    const lookAtEach = async (wanted: readonly WatchedFile[]): Promise<void> => {
      for (const file of wanted) {
        if (isClosed) return;
        const facts = await files.look(file, { again });
        const isAsBefore = seen.get(file.path) === facts;
        if (isAsBefore && compared.has(file.path)) continue;
        if (!isAsBefore) hasChanged = true;
        seen.set(file.path, facts);
        await compare(file.path, facts);
        compared.add(file.path);
      }
    };
    await begin();
    await lookAtEach(
      files.watched().filter(({ path }) => paths === "all" || paths.has(path) || !seen.has(path)),
    );
    const isNew = paths !== "all" && [...paths].some((path) => !seen.has(path));
    await files.discover({ again: again || isNew });
    await lookAtEach(await begin());
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
    if (isAt(facts, baseline) || isExpectedNow(path, facts, baseline.hash)) {
      reported.delete(path);
      if (record.isRaised) options.onHostEvent(acceptedEvent(path, ports.clock.now()));
      await keep({ ...record, ...present, isRaised: false });
      return;
    }
    if (reported.get(path) === facts) return;
    reported.set(path, facts);
    const text =
      record.acceptedHash === baseline.hash
        ? record.acceptedText
        : await keptText(facts, baseline.hash);
    const isOurs =
      record.acceptedHash !== baseline.hash && expected.of(path).includes(record.acceptedHash);
    const accepted = isOurs
      ? { hash: record.acceptedHash, text: record.acceptedText }
      : { ...baseline, text };
    const { configFile } = ports.settings.paths;
    const told = await files.observe({ now: false });
    const overruled = overruledEdits(facts, accepted, configFile, told);
    options.onHostEvent(driftEvent(facts, accepted, overruled, ports.clock.now()));
    await keep({ ...record, isRaised: true });
  }

  /** Accepted while the file was another one already: its bytes may still be here. */
  async function keptText(
    { path, format }: FileFacts,
    hash: string | null,
  ): Promise<string | null> {
    const kept = hash === null ? null : await ports.files.versions.find(path, hash);
    return kept === null ? null : maskedText(format, kept.text);
  }

  function isExpectedNow(path: string, facts: FileFacts, baseline: string | null): boolean {
    return (
      (facts.state === "present" || facts.state === "absent") &&
      // The same bytes with another mode are nobody's edit of ours.
      facts.hash !== baseline &&
      expected.isExpected(path, facts.hash, baseline)
    );
  }

  async function keep(record: WatchRecord): Promise<void> {
    const before = records.get(record.path);
    const now = { ...record, expected: [...expected.of(record.path)] };
    records.set(record.path, now);
    if (!isDeepStrictEqual(before, now)) await save(now);
  }

  /** A disk that can't be written must not end the look: the other files are still to come. */
  async function save(record: WatchRecord): Promise<void> {
    try {
      await store.save(record);
      unsaved.delete(record.path);
    } catch (error) {
      unsaved.set(record.path, asFailure(error).message);
    }
  }

  const soon = createRereads((paths) => {
    void inTurn(() => lookAt(paths));
  });
  // On disk before the look that needs it, so that a restart in between raises nothing.
  expected.onExpect((path) => {
    compared.delete(path);
    const record = records.get(path);
    if (record !== undefined) void inTurn(() => keep(records.get(path) ?? record));
  });

  const directories = createWatchedDirectories((paths) => soon.schedule(paths));
  files.remember(await store.included());

  // The first sight: what the coordinator accepts first, and the first change's diff is shown against.
  await inTurn(() => lookAt("all"));

  return {
    setBaselines: (accepted) => {
      baselines = new Map(accepted.map((baseline) => [baseline.path, baseline]));
      for (const { path, hash } of accepted) ports.files.versions.pin(path, hash);
      reported.clear();
      compared.clear();
      expected.forgetBefore(ports.clock.elapsedMs() - acceptWithinMs);
      void inTurn(() => lookAt("all"));
    },
    poll: async ({ again } = {}) => {
      await inTurn(async () => {
        await directories.rearmReplaced();
        // Symbolic links may lead elsewhere by now.
        if (again) await directories.include([...records.keys()], []);
        await lookAt("all", again);
        for (const path of unsaved.keys()) {
          const record = records.get(path);
          if (record !== undefined) await save(record);
        }
      });
      const { includedFiles } = ports.settings.limits;
      await troubles.tell("no-answer", silentPlaces());
      await troubles.tell("not-told", directories.problems());
      await troubles.tell("too-many-files", files.isCut() ? [`watched: ${includedFiles}`] : []);
      await troubles.tell("not-recorded", [...unsaved.values()]);
    },
    [Symbol.asyncDispose]: async () => {
      isClosed = true;
      soon.stop();
      await directories[Symbol.asyncDispose]();
      await queue;
      await ports.files.versions.idle();
    },
  };
}

/** A hash of null is accepted absence. */
function isAt(facts: FileFacts, { hash, mode, owner }: Baseline): boolean {
  if (hash === null) return facts.state === "absent";
  return (
    facts.hash === hash &&
    (mode == null || facts.mode === mode) &&
    (owner == null || facts.owner === owner)
  );
}
