import { expect, test } from "vitest";
import { walFilePosition, walKeptBySettings, walSegmentBytes } from "#shared/domain/wal-file.ts";

const mib = 1024 * 1024;

test("the segment size is read from blocks (up to 10) and from bytes (from 11 on)", () => {
  expect(walSegmentBytes({ wal_segment_size: "2048", wal_block_size: "8192" })).toBe(16 * mib);
  expect(walSegmentBytes({ wal_segment_size: "16777216" })).toBe(16 * mib);
  expect(walSegmentBytes({ wal_segment_size: "1048576" })).toBe(mib);
  expect(walSegmentBytes({})).toBe(16 * mib);
});

test("a segment's name is a position; other names of the directory are none", () => {
  expect(walFilePosition("000000010000000A00000003", 16 * mib)).toBe(10 * 2 ** 32 + 3 * 16 * mib);
  expect(walFilePosition("00000002.history", 16 * mib)).toBeNull();
  expect(walFilePosition("000000010000000000000003.00000028.backup", 16 * mib)).toBeNull();
});

test("WAL that the server keeps by itself is counted in segments or in megabytes", () => {
  expect(walKeptBySettings({ wal_keep_segments: "256" })).toBe(4096 * mib);
  expect(walKeptBySettings({ wal_keep_size: "64" })).toBe(64 * mib);
  expect(walKeptBySettings({})).toBe(0);
});
