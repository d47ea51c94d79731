import { expect, test } from "vitest";
import { printable } from "#coordinator/cli/render/printable.ts";

test("a carriage return is shown where it could hide something, and kept where it ends a line in a pipe", () => {
  expect(printable("a\r\nb\rc\r", true)).toBe("a\\u000d\nb\\u000dc\\u000d");
  expect(printable("a\r\nb\rc\r", false)).toBe("a\r\nb\\u000dc\r");
});
