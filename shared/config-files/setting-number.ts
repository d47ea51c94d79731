/** Units by size, greatest first: a fraction of one is rounded to the next smaller one (PostgreSQL's guc.c). */
const families: readonly (readonly (readonly [string, number])[])[] = [
  [
    ["TB", 1024 ** 4],
    ["GB", 1024 ** 3],
    ["MB", 1024 ** 2],
    ["kB", 1024],
    ["B", 1],
  ],
  [
    ["d", 86_400_000_000],
    ["h", 3_600_000_000],
    ["min", 60_000_000],
    ["s", 1_000_000],
    ["ms", 1000],
    ["us", 1],
  ],
];

/** Releases that know less: bytes came with 11, microseconds and fractions with 12. */
const firstVersionOfUnit: Readonly<Record<string, number>> = { B: 110_000, us: 120_000 };
const firstVersionOfFractions = 120_000;

export type NumberKind = {
  readonly vartype: "integer" | "real";
  /** As in pg_settings: `8kB`, `ms`; null for a bare number. */
  readonly unit: string | null;
  readonly versionNumber: number;
};

/**
 * The number in the setting's own unit, as the server computes it; null when it refuses the text. `0.5GB` of the unit
 * `8kB` is 65536; `0777` is octal, `0x10` is hexadecimal.
 */
export function readSettingNumber(text: string, kind: NumberKind): number | null {
  const read = kind.vartype === "integer" ? readInteger(text, kind) : readReal(text);
  if (read === null || !Number.isFinite(read.value)) return null;
  const unit = /^[ \t\n\v\f\r]*([A-Za-z]{0,3})[ \t\n\v\f\r]*$/.exec(read.rest)?.[1];
  if (unit === undefined) return null;
  const isOld = kind.versionNumber < firstVersionOfFractions;
  if (unit === "") return finish(read.value, kind);
  if (kind.vartype === "real" && isOld) return null;
  const converted = convert(read.value, unit, kind);
  return converted === null ? null : finish(converted, kind);
}

type Read = { readonly value: number; readonly rest: string };

/** No number that means anything is longer: it bounds what the patterns can cost. */
const longestNumber = 400;

function readInteger(text: string, kind: NumberKind): Read | null {
  const found = /^[ \t\n\v\f\r]*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)/.exec(
    text.slice(0, longestNumber),
  );
  if (found !== null) {
    const rest = text.slice(found[0].length);
    if (!/^[.eE]/.test(rest)) {
      const value = magnitude(found[2] ?? "") * (found[1] === "-" ? -1 : 1);
      return { value, rest };
    }
  }
  return kind.versionNumber < firstVersionOfFractions ? null : readReal(text);
}

function magnitude(digits: string): number {
  if (/^0[xX]/.test(digits)) return Number(digits);
  return digits.startsWith("0") ? Number.parseInt(digits, 8) : Number(digits);
}

function readReal(text: string): Read | null {
  const decimal = String.raw`[0-9]+\.?[0-9]*(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?`;
  const pattern = new RegExp(`^[ \\t\\n\\v\\f\\r]*([+-]?)(0[xX][0-9a-fA-F]+|${decimal})`);
  const found = pattern.exec(text.slice(0, longestNumber));
  if (found === null) return null;
  const value = Number(found[2]) * (found[1] === "-" ? -1 : 1);
  return { value, rest: text.slice(found[0].length) };
}

/** `16384` of the unit `8kB` is `128MB`: in the greatest unit that leaves no fraction, as SHOW prints it (guc.c). */
export function printSettingNumber(text: string, unit: string | null): string {
  const base = baseOf(unit);
  const value = Number(text);
  if (base === null || !(value > 0)) return text;
  const printed = base.family
    .map(([name, size]) => ({ name, value: (value * base.size) / size }))
    .find((one) => Number.isInteger(one.value));
  return printed === undefined ? text : `${printed.value}${printed.name}`;
}

function convert(value: number, unit: string, kind: NumberKind): number | null {
  const base = baseOf(kind.unit);
  if (base === null || kind.versionNumber < (firstVersionOfUnit[unit] ?? 0)) return null;
  const { family, size: baseSize } = base;
  const size = family.find(([name]) => name === unit)?.[1];
  if (size === undefined) return null;
  const converted = (value * size) / baseSize;
  if (kind.versionNumber < firstVersionOfFractions) return Math.trunc(converted);
  const smaller = family[family.findIndex(([known]) => known === unit) + 1]?.[1];
  if (smaller === undefined) return converted;
  return (roundToEven((value * size) / smaller) * smaller) / baseSize;
}

/** `8kB` is a family's unit, eight times. */
function baseOf(
  unit: string | null,
): { readonly family: (typeof families)[number]; readonly size: number } | null {
  const [, times, name] = /^([0-9]*)([A-Za-z]+)$/.exec(unit ?? "") ?? [];
  for (const family of families) {
    const size = family.find(([known]) => known === name)?.[1];
    if (size !== undefined) return { family, size: Number(times || "1") * size };
  }
  return null;
}

function finish(value: number, kind: NumberKind): number {
  return kind.vartype === "integer" ? roundToEven(value) : value;
}

/** C's rint(). */
function roundToEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
