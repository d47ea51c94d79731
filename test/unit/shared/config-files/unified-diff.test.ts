import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import { fixture, runs } from "./fixture.ts";

/** Applies a diff strictly: every context line and line number must fit. */
function patch(before: string, diff: string): string {
  const source = before.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const result: string[] = [];
  let at = 0;
  const lines = diff.match(/[^\n]*\n/g) ?? [];
  for (const [index, line] of lines.entries()) {
    if (index < 2 || line.startsWith("\\")) continue;
    const range = /^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@\n$/.exec(line);
    if (range !== null) {
      const start = Number(range[1]) - (range[2] === "0" ? 0 : 1);
      result.push(...source.slice(at, start));
      expect(result.length).toBe(Number(range[3]) - (range[4] === "0" ? 0 : 1));
      at = start;
      continue;
    }
    const cut = lines[index + 1]?.startsWith("\\") === true;
    const body = cut ? line.slice(1, -1) : line.slice(1);
    if (line.startsWith("+")) result.push(body);
    else {
      expect(source[at]).toBe(body);
      at += 1;
      if (line.startsWith(" ")) result.push(body);
    }
  }
  return [...result, ...source.slice(at)].join("");
}

const options = { path: "/db/etc/HAmodule.conf" };

test("equal texts have no diff", () => {
  expect(unifiedDiff("a\n", "a\n", options)).toBe("");
});

test("a change is shown with its surroundings", () => {
  const before = fixture("kes/HAmodule.conf");
  const after = before.replace("192.168.4.129)", "192.168.4.129 192.168.4.159)");
  expect(unifiedDiff(before, after, { ...options, context: 1 })).toBe(
    [
      "--- /db/etc/HAmodule.conf",
      "+++ /db/etc/HAmodule.conf",
      "@@ -23,3 +23,3 @@",
      ' #example: KB_ALL_IP="(10.0.0.1 10.0.0.2)"',
      "-KB_ALL_IP=(192.168.4.127 192.168.4.129)",
      "+KB_ALL_IP=(192.168.4.127 192.168.4.129 192.168.4.159)",
      ' KB_POOL_IP1="192.168.4.127"',
      "",
    ].join("\n"),
  );
});

test("a missing last newline is part of the change", () => {
  expect(unifiedDiff("a", "a\n", options)).toContain(
    "@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+a\n",
  );
});

describe("applying the diff gives the new text", () => {
  test("for any two texts", () => {
    const text = fc
      .array(fc.constantFrom("a", "b", "c", "\n", "a\n", "b\n", "c\r\n", "\n\n"), { maxLength: 40 })
      .map((pieces) => pieces.join(""));
    fc.assert(
      fc.property(text, text, fc.nat(4), (before, after, context) => {
        expect(patch(before, unifiedDiff(before, after, { ...options, context }))).toBe(after);
      }),
      runs,
    );
  });

  test("a line that moved costs two lines, not the whole file", () => {
    const lines = Array.from({ length: 200 }, (_, index) => `line ${index}\n`);
    const moved = [...lines.slice(1), lines[0] ?? ""];
    const diff = unifiedDiff(lines.join(""), moved.join(""), { ...options, context: 0 });
    expect(diff.match(/^[-+]line/gm)).toHaveLength(2);
  });

  test("for ten megabytes that have nothing in common, as one replacement", () => {
    const before = Array.from(
      { length: 200_000 },
      (_, i) => `before ${i} ${"x".repeat(35)}\n`,
    ).join("");
    const after = before.replaceAll("before", "after");
    const diff = unifiedDiff(before, after, options);
    expect(diff.startsWith("--- ")).toBe(true);
    expect(diff).toContain("@@ -1,200000 +1,200000 @@");
  });
});
