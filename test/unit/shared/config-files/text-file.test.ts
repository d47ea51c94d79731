import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  appendLines,
  decodeUtf8,
  encodeUtf8,
  printLines,
  removeLines,
  splitLines,
} from "#shared/config-files/text-file.ts";
import { configText, runs } from "./fixture.ts";

test("printing the lines of any text gives the text", () => {
  fc.assert(
    fc.property(configText, (text) => printLines(splitLines(text)) === text),
    runs,
  );
});

test("a lone carriage return is content, before a newline it belongs to the line's end", () => {
  expect(splitLines("a\rb\r\nc")).toEqual([
    { text: "a\rb", eol: "\r\n", number: 1, start: 0 },
    { text: "c", eol: "", number: 2, start: 5 },
  ]);
});

test("appended lines can be taken out again without a trace", () => {
  fc.assert(
    fc.property(configText, (text) => {
      const lines = splitLines(text).length;
      const grown = appendLines(text, ["one", "two"]);
      return removeLines(grown, new Set([lines + 1, lines + 2])) === text;
    }),
    runs,
  );
});

test("a file without a last newline stays without one", () => {
  expect(appendLines("a\r\nb", ["c"])).toBe("a\r\nb\r\nc");
  expect(removeLines("a\nb\nc", new Set([3]))).toBe("a\nb");
});

test("an empty line before the unterminated last one stays when that goes", () => {
  expect(removeLines("a\n\nb", new Set([3]))).toBe("a\n\n");
  expect(removeLines("\r\nb", new Set([2]))).toBe("\r\n");
});

test("text outside ASCII survives as bytes and is shown as text", () => {
  expect(encodeUtf8("中")).toBe("\u00e4\u00b8\u00ad");
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => decodeUtf8(encodeUtf8(text)) === text),
    runs,
  );
});

test("bytes that are no UTF-8 show as replacement characters and don't fail", () => {
  expect(decodeUtf8("a\u00ffb")).toBe("a\ufffdb");
});
