import * as fc from "fast-check";
import { expect, test } from "vitest";
import { findPcpPass, parsePcpPass } from "#shared/config-files/pcp-pass.ts";
import { configText, fixture, runs } from "./fixture.ts";

test("an entry says who logs in where, never with which password", () => {
  const pass = parsePcpPass(fixture("kes/pcppass"));
  expect(pass.entries).toEqual([
    { host: "localhost", port: "9898", user: "kingbase", hasPassword: true, line: 1 },
  ]);
  expect(JSON.stringify(pass)).not.toContain("pass:word");
});

test("the first entry that fits is the one the client uses", () => {
  const pass = parsePcpPass(String.raw`# comment
a\:b:9898:x:p
*:9898:kingbase:p
*:*:*:`);
  const find = (host: string, user: string): number | undefined =>
    findPcpPass(pass, { host, port: 9898, user })?.line;
  expect(find("a:b", "x")).toBe(2);
  expect(find("10.0.0.1", "kingbase")).toBe(3);
  expect(findPcpPass(pass, { host: "h", port: 1, user: "u" })?.hasPassword).toBe(false);
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
