import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseHba } from "#shared/config-files/hba.ts";
import {
  appendRules,
  type HbaRuleInput,
  missingRules,
  removeRules,
} from "#shared/config-files/hba-edit.ts";
import { firstMatch, type HbaMatchOptions, type HbaQuery } from "#shared/config-files/hba-match.ts";
import { printLines } from "#shared/config-files/text-file.ts";
import { configText, fixture, runs } from "./fixture.ts";

const samples = ["pg_hba-10.conf", "pg_hba-15.conf", "pg_hba-18.conf", "pool_hba-4.3.conf"];

test.each(samples)("%s is printed unchanged", (name) => {
  expect(printLines(parseHba(fixture(name)).lines)).toBe(fixture(name));
});

test("any text is printed as it was read", () => {
  fc.assert(
    fc.property(configText, fc.boolean(), (text, continuations) => {
      expect(printLines(parseHba(text, { continuations }).lines)).toBe(text);
    }),
    runs,
  );
});

describe("reading", () => {
  test("a vendor file gives its rules in order", () => {
    const { rules, complaints } = parseHba(fixture("kes/sys_hba.conf"));
    expect(complaints).toEqual([]);
    expect(rules.map((rule) => [rule.line, rule.type, rule.method])).toEqual([
      [3, "local", "md5"],
      [4, "host", "md5"],
      [5, "host", "md5"],
      [6, "host", "md5"],
      [7, "host", "md5"],
      [8, "host", "md5"],
      [9, "host", "md5"],
    ]);
  });

  test("lists, quotes, comments and options are told apart", () => {
    const [rule] = parseHba('hostssl db1,"My ""Db""", db3 "all" ::1/128 cert map=x # no\n').rules;
    expect(rule).toMatchObject({
      databases: [
        { value: "db1", quoted: false },
        { value: 'My "Db"', quoted: true },
        { value: "db3", quoted: false },
      ],
      users: [{ value: "all", quoted: true }],
      method: "cert",
      options: ["map=x"],
    });
  });

  test("a line that ends in a backslash goes on in the next one from PostgreSQL 14 on", () => {
    const text = "local all \\\nall md5\nlocal all all trust\n";
    expect(parseHba(text).rules).toMatchObject([
      { line: 1, endLine: 2, method: "md5" },
      { line: 3, endLine: 3 },
    ]);
    expect(parseHba("local all \\\r\r\nall md5").rules).toHaveLength(1);
    expect(parseHba("local all all md5\\").rules).toMatchObject([{ endLine: 1, method: "md5" }]);
    expect(parseHba(text, { continuations: false }).complaints).toHaveLength(2);
  });

  test.each([
    ["hots all all all md5", 1, '"hots" is no connection type'],
    ["  host all", 11, "database and user are missing"],
    ["local all all", 14, "the method is missing"],
    ["host all all 10.0.0.1 md5", 14, "10.0.0.1 has no mask"],
    ["host all all 10.0.0.1/33 md5", 14, "10.0.0.1/33 has an invalid mask"],
    ["host all all db.example.com/24 md5", 14, "db.example.com/24 is no address range"],
    ["local all all md5,trust", 15, "a rule takes one method"],
    ["host all all 10.0.0.1,10.0.0.2 md5", 14, "a rule takes one address"],
    ["include a b", 1, '"include" is no connection type'],
    ["local all all md6", 15, "md6 is no authentication method"],
    ["host all all all peer", 18, "peer is for local connections only"],
    ["local all all gss", 15, "gss is not for local connections"],
    ["hostnossl all all all cert", 23, "cert is for hostssl connections only"],
    ["local all all md5 hunter2", 15, "an option has no ="],
    ["local all all ldap ldapserver=a,b", 15, "an option has no ="],
    ["local all all pam pamservise=x", 15, "pamservise is no authentication option"],
    ["local all all md5 map=x", 15, "md5 takes no option map"],
    ["host all all all md5 clientcert=1", 18, "clientcert is for hostssl connections only"],
  ])("%j is a complaint at its column", (text, column, message) => {
    expect(parseHba(text, { file: "f" }).complaints).toMatchObject([
      { file: "f", line: 1, column, message },
    ]);
  });
});

describe("which line lets a connection in", () => {
  const replication: HbaQuery = {
    type: "host",
    database: "",
    user: "SYSTEM",
    address: "192.168.4.159",
    replication: true,
  };
  const ordinary: HbaQuery = { ...replication, database: "TEST", replication: false };
  const ask = (
    text: string,
    query: HbaQuery,
    options?: HbaMatchOptions,
  ): number | string | null => {
    const match = firstMatch(parseHba(text), query, options);
    return match?.undecidable ?? match?.line ?? null;
  };

  test("`all` lets no replication in: only its own line does", () => {
    const conf = parseHba(fixture("kes/sys_hba.conf"));
    expect(firstMatch(conf, ordinary)?.line).toBe(5);
    expect(firstMatch(conf, replication)?.line).toBe(9);
    expect(firstMatch(conf, { ...replication, address: "10.0.0.1" })).toBeNull();
  });

  test("the word replication means no ordinary connection, in quotes it is a database", () => {
    expect(ask("host replication all all md5", ordinary)).toBeNull();
    expect(ask('host "replication" all all md5', { ...ordinary, database: "replication" })).toBe(1);
  });

  test.each([
    ["host all all 192.168.4.127/16 md5", "192.168.200.1", 1],
    ["host all all 192.168.4.127 255.255.255.0 md5", "192.168.4.1", 1],
    ["host all all 192.168.4.127 255.255.255.0 md5", "192.168.5.1", null],
    ["host all all 0.0.0.0/0 md5", "::1", null],
    ["host all all ::0/0 md5", "fe80::1", 1],
    ["host all all 2001:db8::/32 md5", "2001:db9::1", null],
    ["host all all ::ffff:10.0.0.0/104 md5", "::ffff:10.1.2.3", 1],
    ["host all all all md5", "10.0.0.1", 1],
    ["host all all 010.0.0.0/8 md5", "8.1.2.3", 1],
    ["host all all 10.1/32 md5", "10.0.0.1", 1],
    ["host all all fe80::1%lo/64 md5", "fe80::2", 1],
    ["host all all 0x0a000001 255.0 md5", "10.0.0.2", 1],
  ])("%s and a client at %s", (text, address, line) => {
    expect(ask(text, { ...ordinary, address })).toBe(line);
  });

  test("the kind of connection counts", () => {
    const text = "local all all md5\nhostssl all all all md5\nhostnossl all all all md5";
    expect(ask(text, { ...ordinary, type: "local", address: null })).toBe(1);
    expect(ask(text, { ...ordinary, ssl: true })).toBe(2);
    expect(ask(text, ordinary)).toBe(3);
    expect(ask("hostgssenc all all all gss", ordinary)).toBeNull();
  });

  test("names are compared as they are, or folded to upper case for the product", () => {
    const rule = "host test system all md5";
    expect(ask(rule, ordinary)).toBeNull();
    expect(ask(rule, ordinary, { caseRule: "upper-fold" })).toBe(1);
    expect(ask('host test "system" all md5', ordinary, { caseRule: "upper-fold" })).toBeNull();
  });

  test("a name that is quoted from its start is no keyword", () => {
    expect(ask('host "all" all all md5', ordinary)).toBeNull();
    expect(ask('host "a"ll all all md5', ordinary)).toBeNull();
    expect(ask('host a"ll" all all md5', ordinary)).toBe(1);
  });

  test("sameuser compares database and user", () => {
    expect(ask("host sameuser all all md5", ordinary)).toBeNull();
    expect(ask("host sameuser all all md5", { ...ordinary, database: "SYSTEM" })).toBe(1);
  });

  test("samehost and samenet need the server's addresses", () => {
    const localNetworks = [{ address: "192.168.4.127", prefix: 24 }];
    expect(ask("host all all samenet md5", ordinary, { localNetworks })).toBe(1);
    expect(ask("host all all samehost md5", ordinary, { localNetworks })).toBeNull();
    expect(ask("host all all samenet md5", ordinary)).toContain("aren't known");
  });

  test.each([
    ["host all +dba all md5", "member of dba"],
    ["host samerole all all md5", "member of role TEST"],
    ["host @dbs all all md5", "file dbs"],
    ["host all /^S all md5", "pattern"],
    ["host all all db.example.com md5", "resolves db.example.com"],
    ["include other.conf", "include other.conf"],
  ])("what depends on something else is said, not guessed: %s", (text, reason) => {
    expect(ask(`${text}\nhost all all all md5`, ordinary)).toContain(reason);
  });

  test("a rule that certainly doesn't match isn't undecidable", () => {
    expect(ask("host OTHER +dba all md5\nhost all all all md5", ordinary)).toBe(2);
    expect(ask("host all +dba,SYSTEM all md5", ordinary)).toBe(1);
  });
});

describe("editing", () => {
  const rules: readonly HbaRuleInput[] = [
    { type: "host", database: "all", user: "SYSTEM", address: "192.168.4.159/32", method: "md5" },
    { type: "host", database: "replication", user: "My User", address: "::1/128", method: "md5" },
  ];
  const marker = "castellan: add-node srv159";

  test("rules are appended under their marker", () => {
    expect(appendRules("local all all md5\n", rules, marker)).toBe(
      [
        "local all all md5",
        "# castellan: add-node srv159",
        "host    all    SYSTEM    192.168.4.159/32    md5",
        'host    replication    "My User"    ::1/128    md5',
        "",
      ].join("\n"),
    );
  });

  test("appended rules are read back and removed without a trace, in any file", () => {
    fc.assert(
      fc.property(configText, fc.constantFrom(marker, undefined), (text, mark) => {
        // Before a last line that goes on, ours stand above somebody's rule: only takeOutRules knows where they end.
        fc.pre(mark === undefined || !/\\\s*$/.test(text));
        const grown = appendRules(text, rules, mark);
        expect(missingRules(grown, rules)).toEqual([]);
        expect(appendRules(grown, rules, mark)).toBe(grown);
        expect(removeRules(grown, rules, mark)).toBe(text);
      }),
      runs,
    );
  });

  test("an equal line that someone else wrote is neither doubled nor removed", () => {
    const text = "host all SYSTEM 192.168.4.159/32 md5 # by hand\n";
    const grown = appendRules(text, rules, marker);
    expect(grown.split("\n")).toHaveLength(4);
    expect(removeRules(grown, rules, marker)).toBe(text);
  });

  test("a marker keeps its line while other rules stand under it", () => {
    const grown = appendRules("", rules, marker);
    expect(removeRules(grown, rules.slice(0, 1), marker)).toBe(
      `# ${marker}\nhost    replication    "My User"    ::1/128    md5\n`,
    );
  });

  test("a rule that would not mean what was asked is refused", () => {
    const rule = { type: "host", database: "all", user: "x", address: "10.0.0.1/32" } as const;
    expect(() => appendRules("", [{ ...rule, method: "md5\nlocal all all trust" }])).toThrow(
      RangeError,
    );
    expect(() => appendRules("", [{ ...rule, address: "10.0.0.1", method: "md5" }])).toThrow(
      RangeError,
    );
    expect(() => appendRules("", [{ ...rule, method: "md5 x=y" }])).toThrow(RangeError);
    expect(() => appendRules("", [{ ...rule, method: "md5" }], "a\nb")).toThrow(RangeError);
  });
});
