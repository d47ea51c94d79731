import { describe, expect, test } from "vitest";
import * as fc from "fast-check";
import { insertRules, judgeRules, takeOutRules } from "#shared/config-files/hba-access.ts";
import type { HbaRule } from "#shared/domain/commands.ts";

const options = { continuations: true };
const marker = "castellan op-abcdefgh";
const wanted: HbaRule = {
  type: "host",
  database: "replication",
  user: "SYSTEM",
  address: "10.0.0.9/32",
  method: "md5",
};
const works = (text: string, rule: HbaRule = wanted): boolean =>
  judgeRules(text, [rule], options).every((verdict) => verdict.works);

describe("which logins work by a file as it is", () => {
  test.each([
    ["no line at all", "", false],
    ["the word all does not mean replication", "host all all 0.0.0.0/0 md5\n", false],
    ["the same line", "host replication SYSTEM 10.0.0.9/32 md5\n", true],
    ["a wider line", "host replication all 10.0.0.0/24 scram-sha-256\n", true],
    [
      "a reject before",
      "host replication all 10.0.0.0/8 reject\nhost replication SYSTEM 10.0.0.9/32 md5\n",
      false,
    ],
    ["a method without a password", "host replication all 10.0.0.0/8 ident\n", false],
    [
      "a line of which nobody can say whom it matches",
      "host replication +dba 10.0.0.9/32 md5\n",
      false,
    ],
  ])("%s", (_, text, expected) => {
    expect(works(text)).toBe(expected);
  });

  test("a network is not covered by a line for one of its addresses", () => {
    const network: HbaRule = { ...wanted, address: "10.0.0.0/24" };
    expect(works("host replication SYSTEM 10.0.0.0/32 md5\n", network)).toBe(false);
    expect(works("host replication SYSTEM 10.0.0.0/24 md5\n", network)).toBe(true);
  });
});

describe("inserting rules", () => {
  test("they stand before the first line that would take the login away", () => {
    const text = "local all all peer\nhost replication all 10.0.0.0/8 reject\n";
    expect(insertRules(text, [wanted], marker, options).split("\n")).toEqual([
      "local all all peer",
      "# castellan op-abcdefgh",
      "host    replication    SYSTEM    10.0.0.9/32    md5",
      "host replication all 10.0.0.0/8 reject",
      "",
    ]);
  });

  test("what works already gets no line", () => {
    const text = "host replication all all md5\n";
    expect(insertRules(text, [wanted], marker, options)).toBe(text);
  });

  test("whatever the file holds, the logins work afterwards, twice is once, and taking out is exact", () => {
    const line = fc.constantFrom(
      "host all all 0.0.0.0/0 md5",
      "host replication all 10.0.0.0/8 reject",
      "host replication +group 10.0.0.9/32 md5",
      "# a comment",
      "",
      "local all all trust",
      "hostssl replication all all cert",
      "host all SYSTEM 10.0.0.9/32 ident",
    );
    const file = fc
      .tuple(fc.array(line, { maxLength: 8 }), fc.constantFrom("\n", "\r\n"), fc.boolean())
      .map(([lines, eol, terminated]) => lines.join(eol) + (terminated ? eol : ""));
    const rules = fc.constantFrom<readonly HbaRule[]>(
      [wanted],
      [wanted, { ...wanted, database: "all" }],
    );
    fc.assert(
      fc.property(file, rules, (text, asked) => {
        const inserted = insertRules(text, asked, marker, options);
        expect(judgeRules(inserted, asked, options).every((verdict) => verdict.works)).toBe(true);
        expect(insertRules(inserted, asked, marker, options)).toBe(inserted);
        expect(takeOutRules(inserted, asked, marker)).toBe(text);
      }),
    );
  });
});
