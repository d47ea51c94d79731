import { describe, expect, test } from "vitest";
import { formatOfPath } from "#shared/config-files/file-format.ts";
import { haAssignment, parseHaModule } from "#shared/config-files/ha-module.ts";
import { hbaRuleKey, parseHba } from "#shared/config-files/hba.ts";
import { parsePasswordHashes } from "#shared/config-files/password-hashes.ts";
import { semanticDiff } from "#shared/config-files/semantic-diff.ts";
import { effective, parseServerConf, setParameter } from "#shared/config-files/server-conf.ts";
import { printLines, byteOrderMark } from "#shared/config-files/text-file.ts";
import { fixture } from "./fixture.ts";

/** Latin-1 strings of bytes: a comment in Chinese as UTF-8 and as GBK, and bytes that are neither. */
const comments = {
  "UTF-8": "# \u00e4\u00b8\u00bb\u00e5\u00ba\u0093\n",
  GBK: "# \u00d6\u00f7\u00bf\u00e2\\\n",
  "no encoding": "# \u00ff\u00fe\u00c3\u0028\0\n",
};
const samples = ["postgresql-15.conf", "pgpool-4.3.conf", "kes/kingbase.conf"];
const values = (text: string): readonly (readonly [string, string])[] =>
  [...effective(parseServerConf(text))].map(([name, { value }]) => [name, value]);

describe.each(samples)("%s", (name) => {
  const text = fixture(name);

  test("with CRLF it says the same, and an edit writes CRLF", () => {
    const crlf = text.replaceAll("\n", "\r\n");
    expect(printLines(parseServerConf(crlf).lines)).toBe(crlf);
    expect(values(crlf)).toEqual(values(text));
    expect(parseServerConf(crlf).complaints).toEqual([]);
    expect(setParameter(crlf, "castellan.test", "1").replaceAll("\r\n", "")).not.toContain("\n");
    expect(semanticDiff(name, text, crlf)).toMatchObject([{ kind: "no-effect" }]);
  });

  test.each(Object.entries(comments))("with a comment in %s it says the same", (_, comment) => {
    const commented = text.replaceAll(/^#/gm, `${comment}#`);
    expect(commented.length).toBeGreaterThan(text.length);
    expect(printLines(parseServerConf(commented).lines)).toBe(commented);
    expect(values(commented)).toEqual(values(text));
    expect(semanticDiff(name, text, commented)).toMatchObject([{ kind: "no-effect" }]);
  });

  test("a byte order mark is complained about once, and is a change", () => {
    const marked = byteOrderMark + text;
    expect(parseServerConf(marked).complaints[0]).toMatchObject({ line: 1, column: 1 });
    expect(semanticDiff(name, text, marked).map(({ kind }) => kind)).toContain("broken");
  });
});

test("hba rules are the same with CRLF, with comments of any encoding, and joined lines", () => {
  const text = fixture("kes/sys_hba.conf");
  const keys = (source: string): readonly string[] => parseHba(source).rules.map(hbaRuleKey);
  const crlf = text.replaceAll("\n", "\r\n");
  expect(keys(crlf)).toEqual(keys(text));
  expect(printLines(parseHba(crlf).lines)).toBe(crlf);
  // GBK has characters whose second byte is a backslash: a server from 14 on joins the next line, 10 does not.
  const gbk = `${comments.GBK}${text}`;
  expect(parseHba(gbk, { continuations: false }).rules.map(hbaRuleKey)).toEqual(keys(text));
  expect(keys(`${comments["UTF-8"]}${text}`)).toEqual(keys(text));
});

test("HAmodule.conf with CRLF hides its values from the scripts, and each line says so", () => {
  const module = parseHaModule(fixture("kes/HAmodule.conf").replaceAll("\n", "\r\n"));
  expect(haAssignment(module, "KB_PORT")?.value.kind).toBe("unsafe");
  expect(module.complaints.length).toBeGreaterThan(20);
});

test("a NUL byte in a value is complained about, in a comment it is nothing", () => {
  const text = "a = 'x\0y'\nb = 1\0\nc = 3 # \0\n# \0\nd = 4";
  expect(values(text)).toEqual([
    ["c", "3"],
    ["d", "4"],
  ]);
  expect(parseServerConf(text).complaints).toMatchObject([
    { line: 1, column: 7, message: "a NUL byte cuts off the value of a" },
    { line: 2, column: 6 },
  ]);
  expect(parsePasswordHashes("a\0b:md5\n").entries).toMatchObject([{ user: "a\0b" }]);
});

test("names that a person sees are readable, whatever bytes they are made of", () => {
  const change = (name: string) => semanticDiff("server-conf", "", `x.${name} = 1\n`)[0]?.subject;
  expect(change("\u00e4\u00b8\u00ad")).toBe("x.中");
  expect(change("\u00d6\u00d0")).toBe("x.\ufffd\ufffd");
  expect(semanticDiff("server-conf", "", "a = 'x\ny'\nb = '\u001b[2J'\n")).toMatchObject([
    { kind: "broken" },
    { kind: "broken" },
    { kind: "added", subject: "b", to: JSON.stringify("\u001b[2J") },
  ]);
});

test("a file of another format is complained about, not misread", () => {
  const hba = fixture("kes/sys_hba.conf");
  expect(parseServerConf(hba).complaints.length).toBeGreaterThan(3);
  expect(parseHba(fixture("postgresql-15.conf")).rules).toEqual([]);
  expect(formatOfPath("/x/sys_hba.conf")).toBe("hba");
});
