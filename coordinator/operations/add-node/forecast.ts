import { slotBudgetBytes } from "#shared/domain/slot-budget.ts";
import type { Forecast } from "../plan.ts";
import { printBytes, printRate, printSeconds } from "./print-units.ts";
import { freeBytesAt, freeBytesOfWal } from "./free-space.ts";
import { type KnownNode, settingNumber, type Situation } from "./situation.ts";

/** What a copy has beside the databases: template0, shared catalogs, transaction state, a WAL segment. */
const overheadBytes = 32 * 1024 * 1024;
/** A slot holds back whole segments. */
const segmentBytes = 16 * 1024 * 1024;
/** From the end of the copy until the node streams from its slot: files, start, replay up to consistency. */
const startSeconds = 30;
/** A disk that is full to the last byte serves nobody. */
const usableShare = 0.95;

export type CopyForecast = Forecast & {
  /** Part of `secondsToCopy`: a standby's backup begins with its next restartpoint. */
  readonly secondsToWait: number;
};

/** Null while nobody could say how fast WAL is written: then preflight has failed for that reason. */
export function forecastCopy(situation: Situation): CopyForecast | null {
  const { probes, request, limits, primary, source } = situation;
  const measured = probes.throughput?.answer?.bytesPerSecond ?? limits.assumedBytesPerSecond;
  const walBytesPerSecond = probes.walRate?.answer?.bytesPerSecond ?? null;
  if (walBytesPerSecond === null) return null;
  if (primary === null || source === null) return null;
  const maxRate = request.maxRateBytesPerSecond ?? Number.POSITIVE_INFINITY;
  const bytesPerSecond = Math.max(1, Math.min(measured, maxRate));
  const bytesToCopy = sizeOfCopy(situation);
  const secondsToWait =
    source === primary ? 0 : (settingNumber(source, "checkpoint_timeout") ?? 300);
  const secondsToCopy = Math.ceil(bytesToCopy / bytesPerSecond) + secondsToWait;
  const slotBytes = segmentBytes + Math.ceil(walBytesPerSecond * (secondsToCopy + startSeconds));
  const walBudgetBytes = walBudgetOn(situation, primary);
  const targetFreeBytes = freeBytesAt(probes, situation.stagingDirectory) ?? 0;
  const figures = {
    bytesToCopy,
    bytesPerSecond,
    walBytesPerSecond,
    secondsToCopy,
    secondsToWait,
    slotBytes,
    walBudgetBytes,
    targetFreeBytes,
  };
  return { ...figures, refusals: refusals(situation, figures) };
}

/** What the new node's slot may hold back on this node: by the site's setting, its disk and its server's own limit. */
export function walBudgetOn(situation: Situation, node: KnownNode): number {
  const { limits } = situation;
  return slotBudgetBytes({
    settingBytes: walBudgetLimit(situation),
    walFreeBytes: freeBytesOfWal(node),
    share: limits.walShare,
    serverLimitBytes: serverLimit(settingNumber(node, "max_slot_wal_keep_size")),
  });
}

/** What was asked for, else the site's setting. */
export function walBudgetLimit({ request, limits }: Situation): number {
  return request.walBudgetBytes ?? limits.walBudgetBytes;
}

/** Databases with their tablespaces, and what every cluster has beside them. */
export function sizeOfCopy({ source }: Situation): number {
  const facts = source?.facts?.database;
  if (facts === undefined) return 0;
  const databases = facts.databases.reduce((sum, database) => sum + database.bytes, 0);
  return databases + overheadBytes;
}

function refusals(situation: Situation, f: Omit<CopyForecast, "refusals">): readonly string[] {
  const node = situation.newcomer.declared.name;
  const primary = situation.primary?.declared.name ?? "the primary";
  const found: string[] = [];
  if (f.walBytesPerSecond >= f.bytesPerSecond) {
    found.push(
      `${primary} writes ${printRate(f.walBytesPerSecond)} of WAL and ${node} receives at most ` +
        `${printRate(f.bytesPerSecond)}: it would never catch up. Raise --max-rate, or wait for less load.`,
    );
  }
  if (f.slotBytes > f.walBudgetBytes) {
    found.push(
      `The slot would hold back ${printBytes(f.slotBytes)} of WAL during the ${printSeconds(f.secondsToCopy)} of the copy; ` +
        `${primary} can spare ${printBytes(f.walBudgetBytes)}. Copy faster, at a calmer hour, or give ${primary} more space.`,
    );
  }
  const tablespaceBytes = elsewhere(situation);
  const needed = f.bytesToCopy - tablespaceBytes + Math.min(f.slotBytes, f.walBudgetBytes);
  if (needed > f.targetFreeBytes * usableShare) {
    found.push(
      `${node} has ${printBytes(f.targetFreeBytes)} free for its data directory; the copy and the WAL written ` +
        `meanwhile need ${printBytes(needed)}.`,
    );
  }
  return [...found, ...tablespaceRefusals(situation)];
}

/** Bytes of tablespaces that lie on another filesystem of the new host than its data directory. */
function elsewhere(situation: Situation): number {
  return tablespaceNeeds(situation)
    .filter(({ separate }) => separate)
    .reduce((sum, { bytes }) => sum + bytes, 0);
}

function tablespaceRefusals(situation: Situation): readonly string[] {
  const node = situation.newcomer.declared.name;
  return tablespaceNeeds(situation).flatMap(({ to, bytes, free, separate }) =>
    separate && free !== null && bytes > free * usableShare
      ? [
          `${node} has ${printBytes(free)} free at ${to}; the tablespace needs ${printBytes(bytes)}.`,
        ]
      : [],
  );
}

type TablespaceNeed = {
  readonly to: string;
  readonly bytes: number;
  readonly free: number | null;
  /** Other free space than the data directory's: as good as surely another filesystem. */
  readonly separate: boolean;
};

function tablespaceNeeds({
  source,
  tablespaces,
  probes,
  stagingDirectory,
}: Situation): readonly TablespaceNeed[] {
  const facts = source?.facts?.database.tablespaces ?? [];
  const home = freeBytesAt(probes, stagingDirectory);
  return tablespaces.map(({ from, to }) => {
    const bytes = facts.find((tablespace) => tablespace.location === from)?.bytes ?? 0;
    const free = freeBytesAt(probes, to);
    return { to, bytes, free, separate: free !== null && free !== home };
  });
}

/** In megabytes in the server's own view; -1 is no limit. */
function serverLimit(megabytes: number | null): number | null {
  return megabytes === null || megabytes < 0 ? null : megabytes * 1024 * 1024;
}
