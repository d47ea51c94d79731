import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { readSettingNumber } from "#shared/config-files/setting-number.ts";
import {
  compareSetting,
  readSettingBoolean,
  type SettingKind,
} from "#shared/config-files/setting-value.ts";
import { configText, fixture, runs } from "./fixture.ts";

const Row = z.strictObject({
  versionNumber: z.int(),
  name: z.string(),
  vartype: z.enum(["bool", "integer", "real", "string", "enum"]),
  unit: z.string().nullable(),
  written: z.string(),
  setting: z.string().nullable(),
});
type Row = z.infer<typeof Row>;
const rows = z.array(Row).parse(JSON.parse(fixture("settings-in-force.json")));

const bySetting = new Map<string, Row[]>();
for (const row of rows) {
  const key = `PostgreSQL ${row.versionNumber / 10_000}, ${row.name}`;
  bySetting.set(key, [...(bySetting.get(key) ?? []), row]);
}

describe("a value as written is what real servers made of it, and nothing else", () => {
  test.each([...bySetting])("%s", (_, group) => {
    for (const row of group) {
      if (row.setting === null) {
        // Which words an enum takes isn't known here: a word that the server refused just differs.
        const refused = row.vartype === "enum" ? "different" : "unreadable";
        expect(compareSetting(row.written, "another", row), row.written).toBe(refused);
        continue;
      }
      expect(compareSetting(row.written, row.setting, row), row.written).toBe("same");
      for (const other of group) {
        if (other.setting === null || other.setting === row.setting) continue;
        if (row.name === "wal_buffers" && row.written === "-1") continue;
        const verdict = compareSetting(row.written, other.setting, row);
        // Of a text the server shows what is written, blanks and case included.
        const isSame = row.vartype === "string" && sameText(row.setting, other.setting);
        expect(verdict, `${row.written} against ${other.setting}`).toBe(
          isSame ? "same" : "different",
        );
      }
    }
  });
});

function sameText(a: string, b: string): boolean {
  const bare = (text: string): string => text.replaceAll(/\s|\/$/g, "").toLowerCase();
  return bare(a) === bare(b);
}

const kind = (name: string, vartype: SettingKind["vartype"], unit: string | null = null) => ({
  name,
  vartype,
  unit,
  versionNumber: 150_000,
});

test.each([
  ["synchronous_standby_names", "1(srv129)", "1 (SRV129)", "same"],
  ["synchronous_standby_names", "1 (a, b)", "1 (b, a)", "different"],
  ["synchronous_standby_names", '1 ("a b")', "1 (ab)", "different"],
  ["application_name", "A", "a", "different"],
  ["cluster_name", "\u00e4\u00b8\u00ad", "中", "same"],
  ["log_directory", "/data/sys_log/", "/data/sys_log", "same"],
  ["log_directory", "/data/x/../sys_log", "/data/sys_log", "same"],
  ["log_directory", "../sys_log", "sys_log", "different"],
  ["archive_command", "cp %p  x", "cp %p x", "different"],
] as const)("%s: %j and %j are %s", (name, inFile, inForce, expected) => {
  expect(compareSetting(inFile, inForce, kind(name, "string"))).toBe(expected);
});

test("every unambiguous beginning of a word is a boolean, in any case", () => {
  const words = { true: true, false: false, yes: true, no: false, on: true, off: false };
  for (const [word, value] of Object.entries(words)) {
    for (let length = 1; length <= word.length; length += 1) {
      const text = word.slice(0, length);
      const isAmbiguous = text === "o";
      expect(readSettingBoolean(text)).toBe(isAmbiguous ? null : value);
      expect(readSettingBoolean(text.toUpperCase())).toBe(isAmbiguous ? null : value);
    }
    expect(readSettingBoolean(`${word}x`)).toBeNull();
  }
});

test("a whole number in any unit is the same number in a smaller one, in every version", () => {
  const memory = ["B", "kB", "MB", "GB", "TB"];
  const time = ["us", "ms", "s", "min", "h", "d"];
  const sizes = new Map<string, number>([
    ...memory.map((name, index): [string, number] => [name, 1024 ** index]),
    ["us", 1],
    ["ms", 1000],
    ["s", 1e6],
    ["min", 6e7],
    ["h", 36e8],
    ["d", 864e8],
  ]);
  fc.assert(
    fc.property(
      fc.constantFrom(memory, time),
      fc.nat(4),
      fc.nat(4),
      fc.nat(4096),
      fc.constantFrom(96_000, 100_000, 110_000, 120_000, 180_000),
      (units, from, step, count, versionNumber) => {
        const unit = units[Math.min(from + step, units.length - 1)] ?? "";
        const base = units[from] ?? "";
        const read = readSettingNumber(`${count} ${unit}`, {
          vartype: "integer",
          unit: base,
          versionNumber,
        });
        const isKnown =
          (unit !== "B" || versionNumber >= 110_000) && (unit !== "us" || versionNumber >= 120_000);
        const expected = (count * (sizes.get(unit) ?? 0)) / (sizes.get(base) ?? 1);
        expect(read).toBe(isKnown ? expected : null);
      },
    ),
    runs,
  );
});

test("any value of any kind is compared without failing, and is the same as itself", () => {
  const anyKind = fc.record({
    name: fc.constantFrom("DateStyle", "wal_buffers", "data_directory", "listen_addresses", "x"),
    vartype: fc.constantFrom("bool", "integer", "real", "string", "enum"),
    unit: fc.constantFrom(null, "8kB", "ms", "B", "nonsense"),
    versionNumber: fc.constantFrom(96_000, 150_000),
  });
  fc.assert(
    fc.property(configText, configText, anyKind, (a, b, known) => {
      expect(compareSetting(a, a, known)).toBe("same");
      expect(["same", "different", "unreadable"]).toContain(compareSetting(a, b, known));
    }),
    runs,
  );
});

test("octal and hexadecimal numbers count as the server shows them", () => {
  expect(compareSetting("0x180", "0600", kind("log_file_mode", "integer"))).toBe("same");
  expect(compareSetting("600", "0600", kind("log_file_mode", "integer"))).toBe("different");
});
