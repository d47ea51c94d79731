import { createHash, randomBytes } from "node:crypto";
import type { DatabaseFacts } from "#shared/domain/facts.ts";
import { createLeash, type Leash } from "../adapters/leashed-program.ts";
import { resolvedPath } from "../adapters/local-system.ts";
import { findProgram } from "../adapters/programs.ts";
import { walDirectory } from "../observe/host.ts";
import type { Ports } from "../ports.ts";
import { fine, type Check } from "./check.ts";

/**
 * PostgreSQL docs, BASE_BACKUP: what begins with pgsql_tmp is left out of a copy. Always the same name: what a killed
 * canary left is written over and removed by the next one.
 */
const canaryName = "pgsql_tmp.castellan-canary";
const blockBytes = 8_192;
/** Of flock(1), where an earlier canary still holds the lock: it hangs, maybe since before this agent was started. */
const lockedCode = 75;

type Directory = {
  readonly path: string;
  readonly leash: Leash;
  readonly lockFile: string;
  /** Never in there: asked once, as a disk that stands still would hold whoever asks. */
  isWal: boolean | null;
};

/**
 * Can the data directory's disk be written, synced and read? Asked by programs that may hang in the kernel for as long
 * as the disk stands still: the agent itself only waits for their limit.
 */
export function diskCheck(
  ports: Pick<Ports, "settings" | "home">,
  database: () => DatabaseFacts | null,
): Check {
  const { guard, paths, allow, stateDirectory } = ports.settings;
  const directories = (guard.disk.directories ?? [paths.dataDirectory]).map((path): Directory => ({
    path,
    leash: createLeash({ allowedPrograms: allow.programs, home: ports.home }),
    lockFile: `${stateDirectory}/canary-${createHash("sha256").update(path).digest("hex").slice(0, 12)}.lock`,
    isWal: null,
  }));
  return {
    name: "disk",
    schedule: guard.schedules.disk,
    looks: 1,
    run: async (signal) => {
      const seen = database();
      // An empty directory must stay empty for who copies into it.
      if (seen === null || seen.status === "absent" || seen.hasIncompleteMarker) {
        return fine("no whole data directory to write to");
      }
      const troubles = await Promise.all(
        directories.map(async (directory) => {
          const trouble = await fly(directory, ports.settings, signal);
          return trouble === null ? [] : [`${directory.path}: ${trouble}`];
        }),
      );
      const found = troubles.flat();
      return found.length === 0
        ? fine(`written, synced and read: ${directories.map(({ path }) => path).join(", ")}`)
        : { severity: "critical", text: found.join("; ") };
    },
  };
}

/** null: the canary came back. */
async function fly(
  directory: Directory,
  { allow, guard, paths }: Ports["settings"],
  signal: AbortSignal,
): Promise<string | null> {
  directory.isWal ??= await holdsWal(directory.path, paths.dataDirectory);
  if (directory.isWal) return "holds WAL, where nothing of ours may lie: name another directory";
  const file = `${directory.path}/${canaryName}`;
  const find = (name: string): Promise<string> => findProgram(name, allow.programs);
  const [flock, dd, rm] = await Promise.all([find("flock"), find("dd"), find("rm")]);
  const text = randomBytes(blockBytes / 2).toString("hex");
  const run = (program: string, args: readonly string[], input?: string) =>
    directory.leash.run(
      flock,
      ["-n", "-E", String(lockedCode), directory.lockFile, program, ...args],
      { limitMs: guard.disk.timeoutMs, signal, ...(input === undefined ? {} : { input }) },
    );
  const block = [`bs=${blockBytes}`, "count=1", "status=none"];
  const written = await run(dd, [`of=${file}`, "oflag=nofollow", "iflag=fullblock", "conv=fsync", ...block], text); // prettier-ignore
  if (!written.ended) return `a write ${written.why}`;
  if (written.exitCode === lockedCode) return "the write of an earlier check still hangs";
  let trouble = written.exitCode === 0 ? null : `can't be written: ${lastWords(written.stderr)}`;
  if (trouble === null) {
    // Past the cache, where the file system knows how (tmpfs does not).
    const direct = await run(dd, [`if=${file}`, "iflag=nofollow,direct", ...block]);
    const read =
      direct.ended && direct.exitCode !== 0 && /Invalid argument/.test(lastWords(direct.stderr))
        ? await run(dd, [`if=${file}`, "iflag=nofollow", ...block])
        : direct;
    if (!read.ended) return `a read ${read.why}`;
    if (read.exitCode !== 0) trouble = `can't be read: ${lastWords(read.stderr)}`;
    else if (read.stdout !== text) trouble = "what was read is not what was written";
  }
  const removed = await run(rm, ["-f", "--", file]);
  if (!removed.ended) return `the removal of a file ${removed.why}`;
  if (removed.exitCode !== 0) trouble ??= `nothing can be removed: ${lastWords(removed.stderr)}`;
  return trouble;
}

function lastWords(stderr: readonly string[]): string {
  return stderr.at(-1) ?? "no word of why";
}

async function holdsWal(path: string, dataDirectory: string): Promise<boolean> {
  const wal = await walDirectory(dataDirectory);
  const real = await resolvedPath(path);
  return wal !== dataDirectory && (real === wal || real.startsWith(`${wal}/`));
}
