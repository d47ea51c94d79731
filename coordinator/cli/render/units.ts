const units = ["B", "KiB", "MiB", "GiB", "TiB"] as const;

/** 1536 → `1.5 KiB` */
export function renderBytes(bytes: number): string {
  const negative = bytes < 0 ? "-" : "";
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${negative}${value.toFixed(digits)} ${units[unit]}`;
}

/** 400 → `0.4 s`, 75_000 → `1 min 15 s`, 4_000_000 → `1 h 6 min` */
export function renderDuration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** UTC, to the second: `2026-11-22 07:11:29Z` */
export function renderTime(ms: number | null): string {
  if (ms === null) return "-";
  return new Date(ms)
    .toISOString()
    .replace("T", " ")
    .replace(/\.\d+Z$/, "Z");
}

const time = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?$/;

/** As `renderTime` prints it, and as ISO 8601 has it; UTC where no zone is said. null when it is no time. */
export function parseTime(text: string): number | null {
  const [, day, hour, zone = "Z"] = time.exec(text.trim()) ?? [];
  if (day === undefined || hour === undefined) return null;
  const at = Date.parse(`${day}T${hour}${zone}`);
  return Number.isFinite(at) ? at : null;
}

const sizes: Readonly<Record<string, number>> = {
  "": 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/** `50M` → 52428800; null when it is no size. */
export function parseSize(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?(?:\/s)?$/i.exec(text.trim());
  const factor = match === null ? undefined : sizes[(match[2] ?? "").toUpperCase()];
  return match?.[1] === undefined || factor === undefined
    ? null
    : Math.round(Number(match[1]) * factor);
}

const durations: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `90m` → 5400000; null when it is no duration. */
export function parseDuration(text: string): number | null {
  const match = /^(\d{1,9})([smhd])$/.exec(text.trim());
  const factor = durations[match?.[2] ?? ""];
  return match === null || factor === undefined ? null : Number(match[1]) * factor;
}
