import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { printConfigChange } from "#shared/config-files/config-change.ts";
import { fileFormats } from "#shared/config-files/file-format.ts";
import { appendRules } from "#shared/config-files/hba-edit.ts";
import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { appendBackend } from "#shared/config-files/pool-edit.ts";
import { semanticDiff } from "#shared/config-files/semantic-diff.ts";
import { effective, parseServerConf, setParameter } from "#shared/config-files/server-conf.ts";
import { configText, fixture, runs } from "./fixture.ts";

const changes = (path: string, before: string, after: string): readonly string[] =>
  semanticDiff(path, before, after).map(printConfigChange);

describe("settings", () => {
  const before = fixture("kes/kingbase.conf");

  test("each kind of change is said with both values and both lines", () => {
    expect(
      changes(
        "/data/kingbase.conf",
        "port = 54321\n#fsync = on\nwork_mem = 4MB\nlog_directory = '/a'\nwal_level=replica\n",
        "# ours\nport = 54322\nfsync = on\n#work_mem = 4MB\nwal_level = 'replica'\nx.y = '中'\n",
      ),
    ).toEqual([
      "port: 54321 -> 54322 (line 2, was 1)",
      "fsync no longer commented out: on (line 3, was 2)",
      "work_mem commented out, was 4MB (line 4, was 3)",
      "log_directory removed, was /a (was line 4)",
      `x.y added: ${"中"} (line 6)`,
    ]);
  });

  test("the last of several lines counts, and repeating one is said", () => {
    expect(changes("server-conf", "port = 1\n", "port = 2\nport = 1\n")).toEqual([
      "port stands 2 times, this one counts (line 2)",
    ]);
    expect(changes("server-conf", "port = 2\nport = 1\n", "port = 1\nport = 2\n")).toEqual([
      "port: 1 -> 2 (line 2)",
    ]);
  });

  test("what means the same is no change, and that is said", () => {
    const same = before.replaceAll("\n", "\r\n").replace("port = 54321", "PORT='54321' # ours");
    expect(changes("server-conf", before, same)).toEqual([
      "nothing that counts has changed: comments, blanks or lines without effect",
    ]);
    expect(changes("server-conf", before, before)).toEqual([]);
  });

  test("includes and lines that can't be read are said, each with its place", () => {
    expect(
      changes(
        "server-conf",
        "include 'a'\ninclude 'b'\nx = 'open\n",
        "include 'b'\ninclude_dir 'd'\ninclude 'a'\nport 1 2\n",
      ),
    ).toEqual([
      "include_dir d added (line 2)",
      "include a moved: the order counts (line 3, was 1)",
      "is mended: the quoted value of x has no end (was line 3)",
      "can't be read: unexpected text after the value of port (line 4)",
    ]);
  });

  test("a password in a connection string shows as changed, the rest as it is", () => {
    const conf = fixture("kes/recovery.conf");
    expect(changes("recovery-conf", conf, conf.replace("MTIzNDU2", "bmV3"))).toEqual([
      expect.stringMatching(
        /^primary_conninfo: (.*)password=\[secret\](.*) -> \1password=\[secret, changed\]\2 \(line \d+\)$/,
      ),
    ]);
  });
});

describe("rules of an hba file", () => {
  const before = "local all all md5\nhost all all 10.0.0.0/8 md5\nhost all app samenet md5\n";

  test.each([
    [
      before.replace("10.0.0.0/8 md5", "10.0.0.0/8    trust"),
      ["rule host all all 10.0.0.0/8: md5 -> trust (line 2)"],
    ],
    [`host all evil all reject\n${before}`, ["rule host all evil all reject added (line 1)"]],
    [before.replace("local all all md5\n", ""), ["rule local all all md5 removed (was line 1)"]],
    [
      "local all all md5\nhost all app samenet md5\nhost all all 10.0.0.0/8 md5\n",
      ["rule host all all 10.0.0.0/8 md5 moved: the order counts (line 3, was 2)"],
    ],
    [
      `${before}host all all 10.0.0.0/33 md5\n`,
      ["can't be read: 10.0.0.0/33 has an invalid mask (line 4)"],
    ],
  ])("%j", (after, expected) => {
    expect(changes("pg_hba.conf", before, after)).toEqual(expected);
  });

  test("a changed bind password shows as changed", () => {
    const rule = (password: string): string => `host all all all ldap ldapbindpasswd=${password}\n`;
    expect(changes("hba", rule("hunter2"), rule("hunter3"))).toEqual([
      "rule host all all all: ldap ldapbindpasswd=[secret] -> ldap ldapbindpasswd=[secret], changed (line 1)",
    ]);
  });

  test("of two thousand rules in another order the fewest have moved", () => {
    const rules = Array.from({ length: 2000 }, (_, i) => `host db${i} all all md5\n`);
    const moved = [...rules.slice(1500), ...rules.slice(0, 1500)];
    const found = semanticDiff("hba", rules.join(""), moved.join(""));
    expect(found.filter(({ kind }) => kind === "moved")).toHaveLength(500);
    expect(found).toHaveLength(500);
  });
});

describe("backends of a pool", () => {
  const row = (id: number, host: string, port = 54321): string =>
    `backend_hostname${id} = '${host}'\nbackend_port${id} = ${port}\nbackend_weight${id} = 1\n`;
  const before = row(0, "a") + row(1, "b");

  test.each([
    [before + row(2, "c"), ["backend 2 added: c:54321, weight 1 (line 7)"]],
    [row(0, "a"), ["backend 1 removed, was b:54321, weight 1 (was line 4)"]],
    [
      row(0, "a") + row(1, "b").replaceAll("backend", "#backend"),
      ["backend 1 commented out, was b:54321, weight 1 (was line 4)"],
    ],
    [row(0, "a", 5432) + row(1, "b"), ["backend_port0: 54321 -> 5432 (line 2)"]],
    [
      row(0, "b") + row(1, "a"),
      [
        "backend b:54321 has another number: 1 -> 0 (line 1, was 4)",
        "backend a:54321 has another number: 0 -> 1 (line 4, was 1)",
      ],
    ],
    [
      row(0, "b"),
      [
        "backend b:54321 has another number: 1 -> 0 (line 1, was 4)",
        "backend 0 removed, was a:54321, weight 1 (was line 1)",
      ],
    ],
    [
      row(0, "c") + row(1, "a") + row(2, "b"),
      [
        "backend 0 added: c:54321, weight 1 (line 1)",
        "backend a:54321 has another number: 0 -> 1 (line 4, was 1)",
        "backend b:54321 has another number: 1 -> 2 (line 7, was 4)",
      ],
    ],
  ])("%j", (after, expected) => {
    expect([...changes("kingbasecluster.conf", before, after)].toSorted()).toEqual(
      expected.toSorted(),
    );
  });
});

describe("keys, jobs, users and states", () => {
  test("HAmodule.conf: the value that the scripts would read", () => {
    const before = fixture("kes/HAmodule.conf");
    const after = before
      .replace("192.168.4.129)", "192.168.4.129 192.168.4.159)")
      .replace("SYNC_FLAG=1", "#SYNC_FLAG=1")
      .replace(/^KB_PASS=.*$/m, 'KB_PASS="bmV3"')
      .replace(/^DEV=.*$/m, "DEV=$(reboot)");
    expect(changes("HAmodule.conf", before, after).map((text) => text.split(" (line")[0])).toEqual([
      "DEV: ens33 -> $(reboot)",
      "can't be read: DEV can't be read without running it: \"$\" has a meaning for the shell",
      "SYNC_FLAG commented out, was 1",
      "KB_PASS: [secret] -> [secret, changed]",
      "KB_ALL_IP: (192.168.4.127 192.168.4.129) -> (192.168.4.127 192.168.4.129 192.168.4.159)",
    ]);
  });

  test("cron: a job is switched on or off however many # stand there", () => {
    const job = "*/1 * * * * kingbase  /db/bin/network_rewind.sh\n";
    const name = "job */1 * * * * kingbase  /db/bin/network_rewind.sh";
    expect(changes("cron", job, `##${job}`)).toEqual([`${name} commented out (line 1)`]);
    expect(changes("cron", `##${job}`, job)).toEqual([`${name} no longer commented out (line 1)`]);
    expect(changes("cron", `#${job}`, `##${job}`)).toEqual([
      "nothing that counts has changed: comments, blanks or lines without effect",
    ]);
    expect(changes("cron", job, job.replace("*/1", "*/5"))).toEqual([
      "job kingbase  /db/bin/network_rewind.sh: */1 * * * * -> */5 * * * * (line 1)",
    ]);
    expect(changes("cron", job, `${job}0 1 * * * root ksql -W hunter2\n`)).toEqual([
      "job 0 1 * * * root ksql -W [secret] added (line 2)",
    ]);
  });

  test("password files: users, forms and that a hash changed", () => {
    const hash = (digit: string): string => `md5${digit.repeat(32)}`;
    const before = `a:${hash("1")}\nb:${hash("2")}\nc:${hash("3")}\n`;
    const after = `a:${hash("1")}\nc:${hash("4")}\nb:TEXThunter2\nd:${hash("5")}\na:${hash("6")}\n`;
    expect(changes("pool_passwd", before, after)).toEqual([
      "user a stands 2 times, this one counts (line 1)",
      "user c: [secret] as md5 -> [secret] as md5, changed (line 2, was 3)",
      "user b: [secret] as md5 -> [secret] as text (line 3, was 2)",
      "user d added: [secret] as md5 (line 4)",
    ]);
    // One user's hash given to another is a change of both.
    expect(
      changes(
        "pool_passwd",
        `a:${hash("1")}\nb:${hash("2")}\n`,
        `a:${hash("2")}\nb:${hash("1")}\n`,
      ),
    ).toHaveLength(2);
  });

  test("logins and states", () => {
    expect(changes(".pcppass", "h:9898:u:one\n", "h:9898:u:two\n*:*:v:\n")).toEqual([
      "login u at h:9898: [secret] -> [secret], changed (line 1)",
      "login v at *:* added: no password (line 2)",
    ]);
    expect(changes("pool-status", "up\nup\n", "up\ndown\nunused\n")).toEqual([
      "backend 1: up -> down (line 2)",
      "backend 2 added: unused (line 3)",
    ]);
  });

  test("of files without a meaning for us the lines are shown, masked", () => {
    expect(changes("other", "a\nb\nc\n", "a\npassword = hunter2\nc\nd\n")).toEqual([
      "line 2: b -> password = '[secret, changed]' (line 2)",
      "line d added (line 4)",
    ]);
    expect(changes(".pgpass", "h:1:d:u:one\n", "h:1:d:u:two\n")).toEqual([
      "line 1: h:1:d:u:[secret] -> h:1:d:u:[secret, changed] (line 1)",
    ]);
  });

  test("a file with thousands of changes gives the first ones and a number", () => {
    const text = (value: number): string =>
      Array.from({ length: 2000 }, (_, i) => `a${i} = ${value}\n`).join("");
    const found = changes("server-conf", text(1), text(2));
    expect(found).toHaveLength(501);
    expect(found.at(-1)).toBe("and 1500 more");
  });
});

describe("for any two texts", () => {
  test("of any format there is an answer, none only for equal ones", () => {
    fc.assert(
      fc.property(fc.constantFrom(...fileFormats), configText, configText, (format, a, b) => {
        expect(changes(format, a, b).length > 0).toBe(a !== b);
      }),
      runs,
    );
  });

  test("settings: the old values with the changes made are the new values", () => {
    const line = fc
      .tuple(fc.constantFrom("", "", "#"), fc.constantFrom("a", "b", "c", "x.y"), fc.nat(3))
      .map(([hash, name, value]) => `${hash}${name} = ${value}\n`);
    const text = fc.array(line, { maxLength: 8 }).map((lines) => lines.join(""));
    const valuesOf = (conf: string): Map<string, string> =>
      new Map([...effective(parseServerConf(conf))].map(([name, { value }]) => [name, value]));
    fc.assert(
      fc.property(text, text, (before, after) => {
        const values = valuesOf(before);
        for (const change of semanticDiff("server-conf", before, after)) {
          if (change.kind === "removed" || change.kind === "commented-out") {
            values.delete(change.subject);
          } else if (change.to !== null && change.kind !== "repeated") {
            values.set(change.subject, change.to);
          }
        }
        expect(values).toEqual(valuesOf(after));
      }),
      runs,
    );
  });

  test("our own edits are one change each", () => {
    fc.assert(
      fc.property(configText, fc.nat(9), (text, value) => {
        const wanted = String(value);
        const known = effective(parseServerConf(text)).get("port")?.value;
        const found = semanticDiff("server-conf", text, setParameter(text, "port", wanted));
        // A value that the server would refuse is mended by the way.
        const changed = found.filter(({ kind }) => kind !== "mended");
        expect(changed.map(({ subject }) => subject)).toEqual(known === wanted ? [] : ["port"]);
      }),
      runs,
    );
    const rule = { type: "host", database: "d", user: "u", address: "all", method: "md5" } as const;
    const hba = fixture("pg_hba-18.conf");
    expect(semanticDiff("hba", hba, appendRules(hba, [rule], "ours"))).toHaveLength(1);
    const pool = fixture("kes/kingbasecluster.conf");
    const row = { id: 7, hostname: "h", port: 1, weight: 1, dataDirectory: "/d" };
    const grown = appendBackend(pool, { ...row, flag: null, applicationName: null });
    expect(semanticDiff("pool-conf", pool, grown)).toHaveLength(1);
  });

  test("no secret is shown, whatever it is and wherever it stands", () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9+/!%^&*_-]{10,16}$/);
    fc.assert(
      fc.property(secret, secret, (one, other) => {
        const texts = (password: string) =>
          [
            ["recovery-conf", `primary_conninfo = 'host=a password=${password} user=b'\n`],
            ["pool-conf", `sr_check_password = '${password}'\n`],
            ["pool-conf", `wd_authkey = ${password}\n`],
            ["ha-module", `KB_PASS="${password}"\n`],
            ["ha-module", `KB_PASS=${password}\n`],
            ["hba", `host all all all radius radiussecrets=${password}\n`],
            ["password-hashes", `u:TEXT${password}\n`],
            ["pcp-pass", `h:1:u:${password}\n`],
            ["pg-pass", `h:1:d:u:${password}\n`],
            ["cron", `0 1 * * * root ksql -W '${password}'\n`],
            ["secret", `${password}\n`],
          ] as const;
        for (const [index, [format, after]] of texts(other).entries()) {
          const before = texts(one)[index]?.[1] ?? "";
          for (const [from, to] of [
            [before, after],
            ["", after],
            [before, ""],
          ] as const) {
            const shown = JSON.stringify(semanticDiff(format, from, to));
            expect(shown).not.toContain(one);
            expect(shown).not.toContain(other);
          }
        }
      }),
      runs,
    );
  });

  test("masked texts tell the same but for the secrets", () => {
    const before = fixture("kes/kingbasecluster.conf");
    const after = before.replace(/backend_port1\s*=\s*\S+/, "backend_port1 = 1");
    const mask = (text: string): string => maskSecrets("pool-conf", text);
    expect(changes("pool-conf", mask(before), mask(after))).toEqual(
      changes("pool-conf", before, after),
    );
  });
});
