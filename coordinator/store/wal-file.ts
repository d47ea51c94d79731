/** A place in a write-ahead log up to which it was read and found in order. */
export type WalPlace = {
  /** The log's first 32 bytes: another header is another log. */
  readonly header: Buffer;
  readonly isBigEndian: boolean;
  readonly pageBytes: number;
  /** Offset after the last commit, with the running checksum there. */
  readonly at: number;
  readonly sum: WalSum;
};
export type WalSum = readonly [number, number];

/** A page's content, committed in the log; `pageCount` stands at the last page of a commit: the database's size then. */
type WalPage = { readonly page: number; readonly contentAt: number };
export type WalCommit = WalPlace & {
  readonly pages: readonly WalPage[];
  readonly pageCount: number;
};

export const walHeaderBytes = 32;
const frameHeaderBytes = 24;

/** null for what is no log, or none yet. See https://www.sqlite.org/fileformat2.html#walformat */
export function beginOfWal(header: Buffer): WalPlace | null {
  if (header.length < walHeaderBytes) return null;
  const magic = header.readUInt32BE(0);
  const isBigEndian = magic === 0x377f0683;
  if (magic !== 0x377f0682 && !isBigEndian) return null;
  const pageBytes = header.readUInt32BE(8);
  if (pageBytes < 512 || pageBytes > 65_536 || (pageBytes & (pageBytes - 1)) !== 0) return null;
  const sum = addTo([0, 0], header, 0, 24, isBigEndian);
  if (!matches(sum, header, 24)) return null;
  const own = Buffer.from(header.subarray(0, walHeaderBytes));
  return { header: own, isBigEndian, pageBytes, at: walHeaderBytes, sum };
}

/**
 * The commits after this place, as SQLite's own recovery finds them: up to the first frame whose salt or running
 * checksum is wrong, and whole ones only. `bytes` is the log from the place on; offsets are those of the log.
 */
export function* commitsAfter(place: WalPlace, bytes: Buffer): Generator<WalCommit> {
  const { header, isBigEndian, pageBytes } = place;
  const frameBytes = frameHeaderBytes + pageBytes;
  let sum = place.sum;
  let pages: WalPage[] = [];
  for (let from = 0; from + frameBytes <= bytes.length; from += frameBytes) {
    const page = bytes.readUInt32BE(from);
    if (page === 0 || bytes.compare(header, 16, 24, from + 8, from + 16) !== 0) return;
    sum = addTo(sum, bytes, from, from + 8, isBigEndian);
    sum = addTo(sum, bytes, from + frameHeaderBytes, from + frameBytes, isBigEndian);
    if (!matches(sum, bytes, from + 16)) return;
    pages.push({ page, contentAt: place.at + from + frameHeaderBytes });
    const pageCount = bytes.readUInt32BE(from + 4);
    if (pageCount === 0) continue;
    yield { ...place, at: place.at + from + frameBytes, sum, pages, pageCount };
    pages = [];
  }
}

/** What a whole log holds: where each page's last committed content begins, and the places after its commits. */
export function readWal(wal: Buffer): {
  readonly offsets: ReadonlyMap<number, number>;
  /** null without a commit. */
  readonly pageCount: number | null;
  readonly places: readonly WalPlace[];
} {
  const begin = beginOfWal(wal);
  const commits = begin === null ? [] : [...commitsAfter(begin, wal.subarray(walHeaderBytes))];
  return {
    offsets: new Map(commits.flatMap(({ pages }) => pages.map((p) => [p.page, p.contentAt]))),
    pageCount: commits.at(-1)?.pageCount ?? null,
    places: commits,
  };
}

/** The format's own checksum, over words of 32 bits, two at a time. */
function addTo(sum: WalSum, bytes: Buffer, from: number, to: number, isBigEndian: boolean): WalSum {
  let [a, b] = sum;
  for (let at = from; at < to; at += 8) {
    const first = isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    const second = isBigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4);
    a = (a + first + b) >>> 0;
    b = (b + second + a) >>> 0;
  }
  return [a, b];
}

function matches([a, b]: WalSum, bytes: Buffer, at: number): boolean {
  return bytes.readUInt32BE(at) === a && bytes.readUInt32BE(at + 4) === b;
}
