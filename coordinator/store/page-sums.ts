import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import { replaceFile } from "./replace-file.ts";
import { readWal } from "./wal-file.ts";

/** A checksum of every page of the database file, as it is when everything of the log has been copied into it. */
export type PageSums = {
  /** Counted up by each: an acknowledgement older than the sums is in them. */
  readonly checkpoints: number;
  readonly pageBytes: number;
  /** Page 1 first; 0 where a page was never written (SQLite leaves the content of some free pages alone). */
  readonly sums: readonly number[];
};

const magic = "CSTLSUM1";
const headBytes = 20;

/** null where there is none. @throws Error for one that is damaged. */
export function loadPageSums(file: string): PageSums | null {
  const bytes = readIfThere(file);
  if (bytes === null) return null;
  const count = bytes.length > headBytes ? bytes.readUInt32BE(16) : -1;
  const isWhole =
    bytes.length === headBytes + 4 * count + 4 &&
    bytes.toString("latin1", 0, 8) === magic &&
    crc32(bytes.subarray(0, -4)) === bytes.readUInt32BE(bytes.length - 4);
  if (!isWhole) throw new Error(`${file} is damaged`);
  return {
    checkpoints: bytes.readUInt32BE(8),
    pageBytes: bytes.readUInt32BE(12),
    sums: Array.from({ length: count }, (_, page) => bytes.readUInt32BE(headBytes + 4 * page)),
  };
}

export function savePageSums(file: string, { checkpoints, pageBytes, sums }: PageSums): void {
  const bytes = Buffer.alloc(headBytes + 4 * sums.length + 4);
  bytes.write(magic, "latin1");
  bytes.writeUInt32BE(checkpoints, 8);
  bytes.writeUInt32BE(pageBytes, 12);
  bytes.writeUInt32BE(sums.length, 16);
  for (const [page, sum] of sums.entries()) bytes.writeUInt32BE(sum, headBytes + 4 * page);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), bytes.length - 4);
  replaceFile(file, bytes);
}

/** Of a database file whose log is empty. */
export function sumPages(database: Buffer): PageSums {
  const pageBytes = pageBytesOf(database);
  const count = Math.floor(database.length / pageBytes);
  const sums = Array.from({ length: count }, (_, page) => sumOf(database, page * pageBytes, pageBytes)); // prettier-ignore
  return { checkpoints: 1, pageBytes, sums };
}

/** What the sums will be once the log has been copied into the database. */
export function sumsAfterCheckpoint(before: PageSums, wal: Buffer): PageSums {
  const { offsets, pageCount } = readWal(wal);
  const { checkpoints, pageBytes } = before;
  const sums = Array.from({ length: pageCount ?? before.sums.length }, (_, page) => {
    const offset = offsets.get(page + 1);
    return offset === undefined ? (before.sums[page] ?? 0) : sumOf(wal, offset, pageBytes);
  });
  return { checkpoints: checkpoints + 1, pageBytes, sums };
}

/** Pages that are not what was written, as lines for people. A page that the log holds does not count: it is replaced. */
export function damagedPages(known: PageSums, database: Buffer, wal: Buffer): readonly string[] {
  const { pageBytes, sums } = known;
  const { offsets } = readWal(wal);
  const damaged: number[] = [];
  const held = Math.floor(database.length / pageBytes);
  for (let page = 1; page <= Math.max(sums.length, held); page += 1) {
    const sum = sums[page - 1];
    if (sum === 0 || offsets.has(page)) continue;
    const found = page <= held ? sumOf(database, (page - 1) * pageBytes, pageBytes) : null;
    if (found !== sum) damaged.push(page);
  }
  if (damaged.length === 0) return [];
  const some = damaged.slice(0, 10).join(", ");
  const more = damaged.length > 10 ? ` and ${damaged.length - 10} more` : "";
  return [
    `${damaged.length} of ${sums.length} pages are not what was written: page ${some}${more}`,
    ...(held < sums.length ? [`the file ends after page ${held}: it was cut off`] : []),
  ];
}

/** 0 says "unknown", so it is no sum. */
function sumOf(bytes: Buffer, from: number, length: number): number {
  const sum = crc32(bytes.subarray(from, from + length));
  return sum === 0 ? 1 : sum;
}

/** https://www.sqlite.org/fileformat2.html: at offset 16; 1 stands for 65536. */
function pageBytesOf(database: Buffer): number {
  const stored = database.length >= 18 ? database.readUInt16BE(16) : 0;
  return stored === 1 ? 65_536 : Math.max(512, stored);
}

export function readIfThere(file: string): Buffer | null {
  try {
    return readFileSync(file);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}
