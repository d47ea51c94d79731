import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { haArray, haAssignment, haText, parseHaModule } from "#shared/config-files/ha-module.ts";
import {
  appendToArray,
  printHaModule,
  removeFromArray,
  setArray,
  setScalar,
} from "#shared/config-files/ha-module-edit.ts";
import { printLines } from "#shared/config-files/text-file.ts";
import { configText, fixture, runs } from "./fixture.ts";

const file = fixture("kes/HAmodule.conf");
const text = (source: string, name: string): string | null => haText(parseHaModule(source), name);
const array = (source: string, name: string): readonly string[] | null =>
  haArray(parseHaModule(source), name);

const plainWord = fc.stringMatching(/^[A-Za-z0-9_.:/-]{1,12}$/);
const plainText = fc.stringMatching(/^ ?(?:[A-Za-z0-9_.:/'()!~*-]{1,3} ?){1,5}$/);

describe("reading by the vendor's rules", () => {
  test("a node's file is understood", () => {
    const module = parseHaModule(file, "HAmodule.conf");
    expect(module.complaints).toEqual([]);
    expect(haText(module, "KB_LOCALHOST_IP")).toBe("192.168.4.127");
    expect(haText(module, "SYNC_FLAG")).toBe("1");
    expect(haArray(module, "KB_ALL_IP")).toEqual(["192.168.4.127", "192.168.4.129"]);
    expect(haArray(module, "ALL_NODE_NAME")).toEqual(["srv127", "srv129"]);
    expect(haAssignment(module, "SYNC_FLAG")).toMatchObject({ line: 9, column: 1 });
  });

  test("any text is printed as it was read", () => {
    fc.assert(
      fc.property(configText, (source) => printLines(parseHaModule(source).lines) === source),
      runs,
    );
  });

  test.each([
    ['DEV="ens33"\n', "ens33"],
    ["  DEV='a b'  # nic\n", "a b"],
    ["DEV=a\nDEV=\n", "a"],
    ["DEV=a\nDEV = b\n", "a"],
    ['DEV=a\nDEV="b#c"\n', "a"],
    ['DEV=a"b"c\n', "abc"],
    ["DEV=a=b\n", "a=b"],
    ["#DEV=a\n", null],
    ["DEV=a\nDEV= # none\n", ""],
    ['DEV="a  \t b"\n', "a b"],
  ])("%j gives the value %j", (source, expected) => {
    expect(text(source, "DEV")).toBe(expected);
  });

  test("a last line without newline is ignored, and that is said", () => {
    const module = parseHaModule('DEV="a"\nDEV="b"', "HAmodule.conf");
    expect(haText(module, "DEV")).toBe("a");
    expect(module.complaints).toMatchObject([{ file: "HAmodule.conf", line: 2, column: 1 }]);
  });

  test("# cuts the line even inside quotes", () => {
    const { complaints } = parseHaModule('KB_PASS="a#b"\n');
    expect(complaints[0]).toMatchObject({ line: 1, column: 9 });
    expect(complaints[0]?.message).toContain("even inside quotes");
  });

  test.each([
    "DEV=$(reboot)",
    "DEV=`id`",
    'DEV="$HOME"',
    "DEV=a b",
    "DEV=a;id",
    "DEV=~",
    "DEV= a",
    "DEV",
    String.raw`DEV=a\ b`,
    "DEV=(a $b)",
    "DEV=(a b) c",
    "DEV=(a *)",
  ])("%j is unsafe: it hides the value and never runs", (line) => {
    const module = parseHaModule(`DEV=before\n${line}\n`);
    expect(haText(module, "DEV")).toBeNull();
    expect(haArray(module, "DEV")).toBeNull();
    expect(haAssignment(module, "DEV")?.value.kind).toBe("unsafe");
    expect(module.complaints).toHaveLength(1);
  });

  test("names that the shell would take for something else are reported", () => {
    for (const line of ["export DEV=a", "DEV+=a", "DEV[0]=a"]) {
      expect(parseHaModule(`${line}\n`).complaints).toHaveLength(1);
    }
  });

  test("a carriage return would become part of the value", () => {
    const module = parseHaModule('DEV="a"\r\n');
    expect(haAssignment(module, "DEV")?.value.kind).toBe("unsafe");
  });

  test("a backslash at the end joins the next line, which is no assignment then", () => {
    const module = parseHaModule("DEV=a\\\nNODE_NAME=b\nX=1\n");
    expect(haAssignment(module, "NODE_NAME")).toBeNull();
    expect(haAssignment(module, "DEV")?.value.kind).toBe("unsafe");
    expect(haAssignment(parseHaModule("\\\nDEV=a\n"), "DEV")?.value.kind).toBe("unsafe");
    expect(haText(module, "X")).toBe("1");
  });

  test("text after a list of the same name would replace its first word only", () => {
    const module = parseHaModule("A=(a b)\nA=c\n");
    expect(haAssignment(module, "A")?.value.kind).toBe("unsafe");
    expect(() => setScalar("A=(a b)\n", "A", "c")).toThrow(/line 1/);
    expect(array("A=c\nA=(a b)\n", "A")).toEqual(["a", "b"]);
  });

  test("a list in quotes is reported: the scripts' loops need an array", () => {
    const module = parseHaModule('KB_ALL_IP="(a b)"\n');
    expect(haArray(module, "KB_ALL_IP")).toBeNull();
    expect(module.complaints[0]?.message).toBe("KB_ALL_IP is no array");
  });
});

describe("editing", () => {
  test("a value is changed where it stands and its comment stays", () => {
    const edited = setScalar(file, "KB_LOCALHOST_IP", "192.168.4.159");
    expect(edited).toBe(
      file.replace(
        'KB_LOCALHOST_IP="192.168.4.127"   # this node',
        'KB_LOCALHOST_IP="192.168.4.159"   # this node',
      ),
    );
    expect(setScalar(file, "SYNC_FLAG", "0")).toBe(file.replace("SYNC_FLAG=1", "SYNC_FLAG=0"));
    expect(setScalar(file, "NODE_NAME", "srv127")).toBe(file);
  });

  test("what was set is what the scripts read, in any file", () => {
    fc.assert(
      fc.property(configText, plainText, fc.array(plainWord), (source, value, values) => {
        fc.pre(!source.includes("NODE_NAME=("));
        expect(text(setScalar(source, "NODE_NAME", value), "NODE_NAME")).toBe(value);
        expect(array(setArray(source, "KB_ALL_IP", values), "KB_ALL_IP")).toEqual(values);
      }),
      runs,
    );
  });

  test("a new line never brings an ignored last line to life", () => {
    expect(setScalar('A=1\nDEV="x"', "NODE_NAME", "n")).toBe('A=1\nNODE_NAME="n"\nDEV="x"');
  });

  test("an address is added to the list and taken out again without a trace", () => {
    const grown = appendToArray(file, "KB_ALL_IP", "192.168.4.159");
    expect(grown).toBe(file.replace("192.168.4.129)", "192.168.4.129 192.168.4.159)"));
    expect(appendToArray(grown, "KB_ALL_IP", "192.168.4.159")).toBe(grown);
    expect(removeFromArray(grown, "KB_ALL_IP", "192.168.4.159")).toBe(file);
  });

  test("lists keep their blanks and their other words", () => {
    const words = fc.array(plainWord, { maxLength: 5 });
    const blank = fc.constantFrom(" ", "\t", "  ");
    fc.assert(
      fc.property(words, blank, plainWord, (values, gap, value) => {
        const source = `A=(${gap}${values.join(gap)}${values.length > 0 ? gap : ""}) # c\n`;
        const without = values.filter((word) => word !== value);
        expect(array(removeFromArray(source, "A", value), "A")).toEqual(without);
        if (values.includes(value)) return;
        expect(removeFromArray(appendToArray(source, "A", value), "A", value)).toBe(source);
      }),
      runs,
    );
  });

  test("what can't be written safely is refused without repeating it", () => {
    for (const value of ["", "a  b", "a#b", 'a"b', "$a", "`a", "a\nb", "a\\b"]) {
      expect(() => setScalar(file, "KB_PASS", value)).toThrow(RangeError);
    }
    for (const value of ["", "a b", "*", "a;b", "~"]) {
      expect(() => appendToArray(file, "KB_ALL_IP", value)).toThrow(RangeError);
    }
    expect(() => setScalar(file, "KB_PASS", "hunter2#")).toThrow(/^(?!.*hunter2)/);
    expect(() => appendToArray("A=$x\n", "A", "b")).toThrow(/line 1/);
    expect(() => setScalar(file, "A B", "x")).toThrow(RangeError);
  });

  test("a file printed from a model has the vendor's order and says what the model says", () => {
    const printed = printHaModule({
      NODE_NAME: "srv159",
      OWN_KEY: "x",
      KB_ALL_IP: ["192.168.4.127", "192.168.4.159"],
      SYNC_FLAG: "1",
      DEV: "ens33",
      KB_PORT: "54321",
      KB_VIP: "",
    });
    expect(printed).toBe(
      [
        'DEV="ens33"',
        "SYNC_FLAG=1",
        'KB_VIP=""',
        'KB_PORT="54321"',
        "KB_ALL_IP=(192.168.4.127 192.168.4.159)",
        'NODE_NAME="srv159"',
        'OWN_KEY="x"',
        "",
      ].join("\n"),
    );
    expect(parseHaModule(printed).complaints).toEqual([]);
  });
});
