import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parsePcpPass } from "#shared/config-files/pcp-pass.ts";
import { configText, fixture, runs } from "./fixture.ts";

test("an entry says who logs in where, never with which password", () => {
  const pass = parsePcpPass(fixture("kes/pcppass"));
  expect(pass.entries).toEqual([
    { host: "localhost", port: "9898", user: "kingbase", hasPassword: true, line: 1 },
  ]);
  expect(JSON.stringify(pass)).not.toContain("pass:word");
});

test("a backslash takes the meaning from a colon, and a password may be empty", () => {
  const { entries } = parsePcpPass("# comment\na\\:b:9898:x:p\n*:*:*:");
  expect(entries).toEqual([
    { host: "a:b", port: "9898", user: "x", hasPassword: true, line: 2 },
    { host: "*", port: "*", user: "*", hasPassword: false, line: 3 },
  ]);
});

test("a line that is no entry is a complaint with its line and without its text", () => {
  const { entries, complaints } = parsePcpPass("hunter2\n", ".pcppass");
  expect(entries).toEqual([]);
  expect(complaints).toMatchObject([{ file: ".pcppass", line: 1, column: 1 }]);
  expect(JSON.stringify(complaints)).not.toContain("hunter2");
});

test("any text is read without failing", () => {
  fc.assert(
    fc.property(configText, (text) => parsePcpPass(text).entries.length >= 0),
    runs,
  );
});
