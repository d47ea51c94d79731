/** Sixteen megabytes unless the server was made with another size (PostgreSQL docs, wal_segment_size). */
const usualSegmentBytes = 16 * 1024 * 1024;

/** From the server's settings: up to version 10 counted in blocks of 8 kB, from 11 on in bytes. */
export function walSegmentBytes(settings: Readonly<Record<string, string>>): number {
  const setting = Number(settings["wal_segment_size"]);
  if (!Number.isFinite(setting) || setting <= 0) return usualSegmentBytes;
  // Segments go from 1 MB to 1 GB: as blocks they are never a million, as bytes never fewer.
  if (setting >= 1024 * 1024) return setting;
  const block = Number(settings["wal_block_size"]);
  return setting * (Number.isFinite(block) && block > 0 ? block : 8_192);
}

/** Position at which a segment begins: `000000010000000A00000003` is A/3000000. null for any other name. */
export function walFilePosition(name: string, segmentBytes: number): number | null {
  if (!/^[0-9A-F]{24}$/.test(name)) return null;
  const high = Number.parseInt(name.slice(8, 16), 16);
  const low = Number.parseInt(name.slice(16), 16);
  return high * 2 ** 32 + low * segmentBytes;
}

/** WAL that the server keeps by its own settings, whatever slots there are. */
export function walKeptBySettings(settings: Readonly<Record<string, string>>): number {
  const segments = positive(settings["wal_keep_segments"]) * walSegmentBytes(settings);
  return Math.max(segments, positive(settings["wal_keep_size"]) * 1024 * 1024);
}

function positive(text: string | undefined): number {
  const value = Number(text ?? 0);
  return Number.isFinite(value) && value > 0 ? value : 0;
}
