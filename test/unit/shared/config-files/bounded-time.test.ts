import { expect, test } from "vitest";
import { parseConninfo } from "#shared/config-files/conninfo.ts";
import { commentVendorLine, parseCron } from "#shared/config-files/cron-lines.ts";
import { fileFormats } from "#shared/config-files/file-format.ts";
import { parseHaModule } from "#shared/config-files/ha-module.ts";
import { setScalar } from "#shared/config-files/ha-module-edit.ts";
import { parseHba } from "#shared/config-files/hba.ts";
import { appendRules } from "#shared/config-files/hba-edit.ts";
import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { parsePasswordHashes } from "#shared/config-files/password-hashes.ts";
import { parsePcpPass } from "#shared/config-files/pcp-pass.ts";
import { backends, parsePoolConf } from "#shared/config-files/pool-conf.ts";
import { appendBackend } from "#shared/config-files/pool-edit.ts";
import { parsePoolStatus } from "#shared/config-files/pool-status.ts";
import { parseRecoveryConf } from "#shared/config-files/recovery-conf.ts";
import { semanticDiff } from "#shared/config-files/semantic-diff.ts";
import { parseServerConf, setParameter } from "#shared/config-files/server-conf.ts";
import { compareSetting } from "#shared/config-files/setting-value.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";
import { fixture } from "./fixture.ts";

/**
 * What hangs or takes a quadratic time runs into the time limit of the test; how long a byte takes is printed by
 * `npm run test:fuzz`.
 */
function spend(what: string, text: string, read: (text: string) => unknown): void {
  const before = process.cpuUsage();
  expect(read(text)).toBeDefined();
  if (!isLong) return;
  const { user, system } = process.cpuUsage(before);
  const perByte = (((user + system) * 1000) / text.length).toFixed(0);
  console.log(`${what}: ${text.length} bytes, ${perByte} ns per byte`);
}

/** The long run takes whole files of ten megabytes, which is the better part of a minute. */
const isLong = process.env["FUZZ_RUNS"] !== undefined;
const hostileBytes = isLong ? 100_000 : 20_000;
const fileBytes = isLong ? 10_000_000 : 1_000_000;
const equalLines = isLong ? 100_000 : 20_000;
/** Generous: what is not linear takes hours. */
const timeLimitMs = 300_000;

const backend = {
  id: 2,
  hostname: "a",
  port: 1,
  weight: 1,
  dataDirectory: null,
  flag: null,
  applicationName: null,
};
const rule = { type: "local", database: "all", user: "all", method: "md5" } as const;
const kind = { name: "synchronous_standby_names", unit: "kB", versionNumber: 150_000 };

const readers: Readonly<Record<string, (text: string) => unknown>> = {
  "server-conf": (text) => setParameter(text, "port", "1"),
  "recovery-conf": parseRecoveryConf,
  "ha-module": (text) => setScalar(text, "NODE_NAME", "a"),
  "pool-conf": (text) => appendBackend(text, backend),
  hba: (text) => [parseHba(text), appendRules(text, [rule], "ours")],
  conninfo: parseConninfo,
  cron: (text) => [parseCron(text), commentVendorLine(text, "network-rewind")],
  "password-hashes": (text) => parsePasswordHashes(text),
  "pcp-pass": (text) => parsePcpPass(text),
  "pool-status": (text) => parsePoolStatus(text),
  diff: (text) => unifiedDiff(text, `${text}x${text}`, { path: "f" }),
  mask: (text) => fileFormats.map((format) => maskSecrets(format, text)),
  meaning: (text) => fileFormats.map((format) => semanticDiff(format, "x", text)),
  values: (text) =>
    (["bool", "integer", "real", "string", "enum"] as const).map((vartype) =>
      compareSetting(text, "0", { ...kind, vartype }),
    ),
};

const pieces = [
  ..."\t \\ ' \" # = , : ( - a 0 /".split(" "),
  "''",
  " x",
  "pass",
  "://:",
  "../",
  "x = 'password ",
  "password= ",
  "X_PASSWORD=",
  " -W ",
  "backend_hostname2 ",
  "*/1 * * * * r  /network_rewind.sh ",
  "\n",
  "\\\n",
  "a\r\n",
];

test.each(Object.entries(readers))(
  "%s takes hostile repetitions in its stride",
  { timeout: timeLimitMs },
  (name, read) => {
    for (const piece of pieces) {
      for (const prefix of ["", "password = '"]) {
        const text = prefix + piece.repeat(hostileBytes / piece.length);
        spend(`${name} ${JSON.stringify(prefix + piece)}`, text, read);
      }
    }
  },
);

const formats: readonly (readonly [string, string, string, (text: string) => unknown])[] = [
  ["server-conf", "postgresql-15.conf", "x = '", (text) => setParameter(text, "port", "1")],
  ["recovery-conf", "kes/recovery.conf", "primary_conninfo = 'host=", parseRecoveryConf],
  ["ha-module", "kes/HAmodule.conf", 'KB_PASS="', parseHaModule],
  ["pool-conf", "kes/kingbasecluster.conf", "a='", (text) => backends(parsePoolConf(text))],
  ["hba", "kes/sys_hba.conf", "host all ", (text) => parseHba(text)],
  ["cron", "kes/KINGBASECRON", "* * * * * root ", parseCron],
  ["password-hashes", "kes/cluster_passwd", "a:md5", (text) => parsePasswordHashes(text)],
  ["pcp-pass", "kes/pcppass", "a:1:b:", (text) => parsePcpPass(text)],
  ["pool-status", "kes/kingbasecluster_status", "up", (text) => parsePoolStatus(text)],
];

test.each(formats)(
  "%s: megabytes are read, in many lines or in one",
  (name, sample, begin, read) => {
    const lines = fixture(sample);
    const many = lines.repeat(Math.ceil(fileBytes / lines.length)).slice(0, fileBytes);
    const one = begin + "a".repeat(fileBytes);
    for (const [what, text] of Object.entries({ many, one })) {
      spend(`${name} ${what}`, text, read);
      spend(`${name} ${what} masked`, text, (all) => maskSecrets(name, all).length);
    }
    spend(`${name} compared`, many, (all) => semanticDiff(name, lines, all).length);
  },
  timeLimitMs,
);

test("ten megabytes of server settings are read", { timeout: timeLimitMs }, () => {
  for (const text of [
    "port = 1 # comment here, and more of it to make a usual line\n".repeat(160_000),
    `x = '${"''".repeat(5_000_000)}`,
    "a".repeat(10_000_000),
  ]) {
    spend("server-conf, ten megabytes", text, (all) => parseServerConf(all).lines.length);
  }
});

test("thousands of equal keys, rules and users are compared", { timeout: timeLimitMs }, () => {
  for (const [format, line] of [
    ["server-conf", "port = 1\n"],
    ["pool-conf", "backend_hostname1 = 'a'\n"],
    ["ha-module", "KB_ALL_IP=(a b)\n"],
    ["hba", "host all all all md5\n"],
    ["cron", "* * * * * root x\n"],
    ["password-hashes", "a:md5\n"],
    ["pcp-pass", "h:1:u:p\n"],
    ["pg-pass", "h:1:d:u:p\n"],
    ["other", "a\n"],
  ] as const) {
    const text = line.repeat(equalLines);
    spend(`${format} equal lines`, text, (all) => semanticDiff(format, line, all).length);
  }
});
