import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { maskChange, maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { parsePasswordHashes } from "#shared/config-files/password-hashes.ts";
import { configText, fixture, runs } from "./fixture.ts";

const hex = "3afebd0fba6df9fc2cf82c0b09926bcc";
const forms = (text: string, file = "pool_passwd"): readonly string[] =>
  parsePasswordHashes(text, file).entries.map(({ user, form }) => `${user} ${form}`);

test("the users and the forms of their hashes are known, the hashes are not", () => {
  const text = [
    `SYSTEM:md5${hex}`,
    "app:SCRAM-SHA-256$4096:c2FsdA==$c3RvcmVk:c2VydmVy",
    "enc:AESZGVjcnlwdA==",
    "lazy:TEXThunter2",
    "lazier:hunter2",
    String.raw`a\:b:md5${hex}`,
    `both:md5${hex}:backend:hunter2`,
    "",
  ].join("\n");
  const parsed = parsePasswordHashes(text, "/x/pool_passwd");
  expect(forms(text)).toEqual([
    "SYSTEM md5",
    "app scram-sha-256",
    "enc aes",
    "lazy text",
    "lazier clear",
    "a:b md5",
    "both md5",
  ]);
  expect(JSON.stringify(parsed)).not.toMatch(/hunter2|3afe|c2FsdA|ZGVj/);
  expect(parsed.complaints).toMatchObject([
    { file: "/x/pool_passwd", line: 4, column: 6, message: expect.stringContaining("clear text") },
    { line: 5, column: 8, message: "lazier: the password stands in clear text" },
  ]);
});

test("pcp.conf takes the plain md5 and nothing else", () => {
  expect(forms(`kingbase:${hex}\nb:md5${hex}\n`, "/x/pcp.conf")).toEqual([
    "kingbase md5-hex",
    "b clear",
  ]);
  expect(parsePasswordHashes(fixture("pcp-4.3.conf"), "pcp.conf")).toMatchObject({
    entries: [],
    complaints: [],
  });
});

describe("what the pool would not read as it was meant is a complaint with its place", () => {
  test.each([
    ["hunter2", 1, "this is no entry"],
    [":hunter2", 1, "the user's name is missing"],
    ["a:", 3, "a: there is no password"],
    [`a:md5${hex}\r\n`, 3, "a: the carriage return at the line's end becomes part of the hash"],
    [`a:md5${hex.slice(1)}`, 3, "a: the password stands in clear text"],
    [`a:AES${"x".repeat(1100)}`, 3, "a: the line is longer than the pool reads"],
    [`b:md5${hex}\n\nb:md5${hex}`, 1, "b stands here again: line 1 counts"],
  ])("%j", (text, column, message) => {
    const { complaints } = parsePasswordHashes(text, "pool_passwd");
    expect(complaints).toMatchObject([{ column, message }]);
    expect(JSON.stringify(complaints)).not.toMatch(/hunter2|3afe/);
  });

  test("of two pcp lines of one user both passwords work", () => {
    const text = `a:${hex}\na:${hex}\n`;
    expect(parsePasswordHashes(text, "pcp.conf").complaints).toMatchObject([
      { line: 2, message: "a stands here again: the password of line 1 works as well" },
    ]);
  });
});

describe("masked", () => {
  const text = `a:md5${hex}\nb:TEXThunter2\nc:hunter2\nd:${hex}\ne:\n# f:${hex}\n`;

  test("the forms can still be told, the hashes not", () => {
    const masked = maskSecrets("pool_passwd", text);
    expect(masked).toBe(
      "a:md5[secret]\nb:TEXT[secret]\nc:[secret]\nd:[secret] (32 hex digits)\ne:\n# f:[secret]\n",
    );
    expect(maskSecrets("pool_passwd", masked)).toBe(masked);
    for (const file of ["pool_passwd", "pcp.conf"]) {
      expect(forms(masked, file)).toEqual(forms(text, file));
    }
  });

  test("a changed hash shows as changed", () => {
    const { after } = maskChange("pcp.conf", `a:${hex}\n`, `a:${hex.replaceAll("3", "4")}\n`);
    expect(after).toBe("a:[secret, changed] (32 hex digits)\n");
  });

  test("of any line, a file's users and forms stay, whatever the rest is", () => {
    const rest = fc.oneof(
      fc.constantFrom(hex, `md5${hex}`, "SCRAM-SHA-256$4096:x", "AESx", "TEXTx", ""),
      fc.stringMatching(/^[a-z0-9:]{1,12}$/),
    );
    const line = fc.tuple(fc.stringMatching(/^[a-z]{1,6}$/), rest).map((pair) => pair.join(":"));
    const file = fc.constantFrom("pool_passwd", "pcp.conf");
    fc.assert(
      fc.property(fc.array(line), file, (lines, name) => {
        const source = lines.join("\n");
        expect(forms(maskSecrets(name, source), name)).toEqual(forms(source, name));
      }),
      runs,
    );
  });
});

test("any text is read without failing, and every entry stands where it says", () => {
  fc.assert(
    fc.property(configText, fc.constantFrom("pool_passwd", "pcp.conf"), (text, file) => {
      const lines = text.split("\n");
      for (const { line, column } of parsePasswordHashes(text, file).entries) {
        expect(lines[line - 1]?.[column - 2]).toBe(":");
      }
    }),
    runs,
  );
});
