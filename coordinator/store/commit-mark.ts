import { closeSync, openSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { readIfThere } from "./page-sums.ts";
import { replaceFile } from "./replace-file.ts";
import type { WalSum } from "./wal-file.ts";

/** How far the log was when the last commit was acknowledged. */
export type Acknowledged = {
  /** Of the page sums at that time: later ones have everything that was acknowledged before. */
  readonly checkpoints: number;
  /** Offset after the commit in the log, with the log's running checksum there; 0 where it is empty. */
  readonly at: number;
  readonly sum: WalSum;
};

/**
 * It stands in a file of its own, so that a log that was lost, cut or garbled shows. Written after each commit and
 * not synced: after a power cut it can be behind, never ahead.
 */
export type CommitMark = Disposable & { acknowledge(acknowledged: Acknowledged): void };

const magic = "CSTLMARK";
const markBytes = 32;

/** null where there is none. @throws Error for one that is damaged. */
export function loadCommitMark(file: string): Acknowledged | null {
  const bytes = readIfThere(file);
  if (bytes === null) return null;
  const isWhole =
    bytes.length === markBytes &&
    bytes.toString("latin1", 0, 8) === magic &&
    crc32(bytes.subarray(0, -4)) === bytes.readUInt32BE(markBytes - 4);
  if (!isWhole) throw new Error(`${file} is damaged`);
  return {
    checkpoints: bytes.readUInt32BE(8),
    at: Number(bytes.readBigUInt64BE(12)),
    sum: [bytes.readUInt32BE(20), bytes.readUInt32BE(24)],
  };
}

export function saveCommitMark(file: string, acknowledged: Acknowledged): void {
  replaceFile(file, encode(acknowledged));
}

/** Overwrites the mark in place: bytes of one sector are the old ones or the new ones. */
export function openCommitMark(file: string): CommitMark {
  const handle = openSync(file, "r+");
  return {
    acknowledge: (acknowledged) => {
      writeSync(handle, encode(acknowledged), 0, markBytes, 0);
    },
    [Symbol.dispose]: () => closeSync(handle),
  };
}

function encode({ checkpoints, at, sum }: Acknowledged): Buffer {
  const bytes = Buffer.alloc(markBytes);
  bytes.write(magic, "latin1");
  bytes.writeUInt32BE(checkpoints, 8);
  bytes.writeBigUInt64BE(BigInt(at), 12);
  bytes.writeUInt32BE(sum[0], 20);
  bytes.writeUInt32BE(sum[1], 24);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, -4)), markBytes - 4);
  return bytes;
}
