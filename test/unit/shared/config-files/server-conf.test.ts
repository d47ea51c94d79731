import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  commentParameter,
  effective,
  overlay,
  parseServerConf,
  quoteValue,
  removeParameter,
  setParameter,
} from "#shared/config-files/server-conf.ts";
import { printLines } from "#shared/config-files/text-file.ts";
import { configText, fixture, runs } from "./fixture.ts";

const value = (text: string, name: string): string | undefined =>
  effective(parseServerConf(text)).get(name)?.value;

const latin1 = fc.array(fc.integer({ min: 1, max: 255 }), { maxLength: 20 });
const anyValue = latin1.map((codes) => String.fromCharCode(...codes));
const samples = [
  "postgresql-10.conf",
  "postgresql-15.conf",
  "postgresql-18.conf",
  "recovery-10.conf",
  "pgpool-4.3.conf",
  "kes/kingbase.conf",
  "kes/kingbasecluster.conf",
];

test.each(samples)("%s is understood without complaint and printed unchanged", (name) => {
  const conf = parseServerConf(fixture(name), name);
  expect(conf.complaints).toEqual([]);
  expect(printLines(conf.lines)).toBe(fixture(name));
  expect(conf.entries.length).toBeGreaterThan(3);
});

test("any text is printed as it was read, and every value stands where its entry says", () => {
  fc.assert(
    fc.property(configText, (text) => {
      const conf = parseServerConf(text);
      expect(printLines(conf.lines)).toBe(text);
      for (const entry of conf.entries) {
        expect(text.startsWith(entry.raw, entry.valueStart)).toBe(true);
      }
    }),
    runs,
  );
});

describe("reading follows the server's own grammar", () => {
  test.each([
    ["port = 54321 # ours", "port", "54321"],
    ["PORT 54321", "port", "54321"],
    ["archive_dest='/a b/'#c", "archive_dest", "/a b/"],
    [String.raw`x = 'it''s \'so\' \101\n'`, "x", "it's 'so' A\n"],
    ["x'glued'", "x", "glued"],
    ["shared_buffers = 512MB", "shared_buffers", "512MB"],
    ["a.b = -1.5e3", "a.b", "-1.5e3"],
    ["x = /", "x", undefined],
    ["x = 10.0.0.1", "x", undefined],
    ["x+1", "x", "+1"],
    ["x-1", "x", undefined],
    ["\u00c4X = 1", "\u00c4x", "1"],
    ["x = a.b.c", "x", "a.b.c"],
    [String.raw`x = 'ab\0cd'`, "x", "ab"],
    [`x = ${"9".repeat(200)}`, "x", "9".repeat(200)],
    ["x = 'open", "x", undefined],
    ["x = a b", "x", undefined],
    ["x =", "x", undefined],
    ["port = 1\nport = 2\r\n", "port", "2"],
  ])("%j", (text, name, expected) => {
    const conf = parseServerConf(text);
    expect(effective(conf).get(name)?.value).toBe(expected);
    expect(conf.complaints).toHaveLength(expected === undefined ? 1 : 0);
  });

  test("a complaint names file, line and column", () => {
    const conf = parseServerConf("a = 1\n  b = 'open", "/data/kingbase.conf");
    expect(conf.complaints).toEqual([
      {
        file: "/data/kingbase.conf",
        line: 2,
        column: 7,
        message: "the quoted value of b has no end",
        hint: "Write NAME = 'value'.",
      },
    ]);
  });

  test("a bare value with one dot is a name for the server, but not for the pool", () => {
    const text = "backend_hostname0 = db.example\n";
    expect(parseServerConf(text).complaints).toMatchObject([{ line: 1, column: 21 }]);
    expect(parseServerConf(text, "pgpool.conf", "pool").complaints).toEqual([]);
    expect(value(text, "backend_hostname0")).toBe("db.example");
  });

  test("a byte order mark is reported, because the server takes it for a part of the name", () => {
    const conf = parseServerConf("\u00ef\u00bb\u00bfport = 1");
    expect(conf.complaints[0]?.message).toContain("byte order mark");
    expect(effective(conf).has("port")).toBe(false);
  });

  test("any number of # makes a setting commented out", () => {
    const conf = parseServerConf(fixture("kes/kingbase.conf"));
    const lists = conf.entries.filter((e) => e.name === "synchronous_standby_names");
    expect(lists.map((e) => [e.line, e.commentedOut, e.value])).toEqual([
      [5, true, ""],
      [13, true, "1 (srv127, srv129)"],
    ]);
    expect(effective(conf).has("synchronous_standby_names")).toBe(false);
  });

  test("kingbase.auto.conf overrules the main file, whatever the case of its names", () => {
    const main = parseServerConf("synchronous_standby_names = '1 (a)'\nport = 1");
    const auto = parseServerConf(fixture("kes/kingbase.auto.conf"), "kingbase.auto.conf");
    const settings = overlay([main, auto]);
    expect(settings.get("synchronous_standby_names")).toMatchObject({
      value: "",
      file: "kingbase.auto.conf",
    });
    expect(settings.get("port")?.value).toBe("1");
  });
});

describe("editing", () => {
  test("setting changes the value in the line that counts and keeps its comment", () => {
    const before = "port = 1 # old\nPort\t= '2'  # why\r\n#port = 3";
    expect(setParameter(before, "port", "5")).toBe(
      "port = 1 # old\nPort\t= '5'  # why\r\n#port = 3",
    );
  });

  test("a setting that is only there as a comment is appended, as the installers do", () => {
    expect(setParameter("#port = 1\n", "port", "5")).toBe("#port = 1\nport = 5\n");
  });

  test("setting the value that is there changes nothing", () => {
    expect(setParameter("port='5'", "port", "5")).toBe("port='5'");
  });

  test("a value that stands right behind its name does not become a part of it", () => {
    expect(setParameter("port+5 # odd\n", "port", "6")).toBe("port 6 # odd\n");
    expect(setParameter("port'5'\n", "port", "6")).toBe("port'6'\n");
  });

  test("what was set is what is read, in any file and with any value", () => {
    fc.assert(
      fc.property(configText, anyValue, (text, wanted) => {
        expect(value(setParameter(text, "port", wanted), "port")).toBe(wanted);
      }),
      runs,
    );
  });

  test("setting touches one line at most", () => {
    fc.assert(
      fc.property(configText, anyValue, (text, wanted) => {
        const before = text.split("\n");
        const after = setParameter(text, "port", wanted).split("\n");
        const changed = after.filter((line, index) => line !== before[index]);
        expect(changed.length).toBeLessThanOrEqual(2);
      }),
      runs,
    );
  });

  test("an appended setting is removed without a trace", () => {
    fc.assert(
      fc.property(configText, anyValue, (text, wanted) => {
        fc.pre(value(text, "max_wal_senders") === undefined);
        const grown = setParameter(text, "max_wal_senders", wanted);
        expect(removeParameter(grown, "max_wal_senders")).toBe(text);
      }),
      runs,
    );
  });

  test("removing takes every active line and leaves the commented ones", () => {
    expect(removeParameter("#port = 1\nport = 2\nfsync = on\nPORT 3\n", "port")).toBe(
      "#port = 1\nfsync = on\n",
    );
  });

  test("commenting puts one # before the name, keeping what stands before it", () => {
    expect(commentParameter("  port = 2\n##port = 1\n", "port")).toBe("  #port = 2\n##port = 1\n");
    expect(value(commentParameter("port = 1\nport = 2", "port"), "port")).toBeUndefined();
  });

  test("names that would break the file are refused", () => {
    for (const name of ["", "a b", "a\nb", "include", "a=1"]) {
      expect(() => setParameter("", name, "1")).toThrow(RangeError);
    }
    expect(() => setParameter("", "port", "1\0")).toThrow(RangeError);
  });

  test("values are quoted only where they must be", () => {
    expect(["on", "512MB", "1 (a, b)", "it's", "a\\b", ""].map(quoteValue)).toEqual([
      "on",
      "512MB",
      "'1 (a, b)'",
      "'it''s'",
      String.raw`'a\\b'`,
      "''",
    ]);
  });
});
