import { expect, test } from "vitest";
import { parseConninfo } from "#shared/config-files/conninfo.ts";
import { parseCron } from "#shared/config-files/cron-lines.ts";
import { fileFormats } from "#shared/config-files/file-format.ts";
import { setScalar } from "#shared/config-files/ha-module-edit.ts";
import { parseHba } from "#shared/config-files/hba.ts";
import { appendRules } from "#shared/config-files/hba-edit.ts";
import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { parsePcpPass } from "#shared/config-files/pcp-pass.ts";
import { appendBackend } from "#shared/config-files/pool-edit.ts";
import { parsePoolStatus } from "#shared/config-files/pool-status.ts";
import { setParameter } from "#shared/config-files/server-conf.ts";
import { unifiedDiff } from "#shared/config-files/unified-diff.ts";

const size = 40_000;
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

const readers: Readonly<Record<string, (text: string) => unknown>> = {
  "server-conf": (text) => setParameter(text, "port", "1"),
  "ha-module": (text) => setScalar(text, "NODE_NAME", "a"),
  "pool-conf": (text) => appendBackend(text, backend),
  hba: (text) => [parseHba(text), appendRules(text, [rule], "ours")],
  conninfo: parseConninfo,
  cron: parseCron,
  "pcp-pass": (text) => parsePcpPass(text),
  "pool-status": (text) => parsePoolStatus(text),
  diff: (text) => unifiedDiff(text, `${text}x${text}`, { path: "f" }),
  mask: (text) => fileFormats.map((format) => maskSecrets(format, text)),
};

const pieces = [
  ..."\t \\ ' \" # = , : ( - a".split(" "),
  "''",
  " x",
  "pass",
  "://:",
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

test.each(Object.entries(readers))("%s takes hostile repetitions in its stride", (_, read) => {
  for (const piece of pieces) {
    for (const prefix of ["", "password = '"]) {
      const text = prefix + piece.repeat(size / piece.length);
      // Of the processor: on a busy machine the clock on the wall says nothing. What grows with the square takes seconds.
      const before = process.cpuUsage();
      read(text);
      const { user, system } = process.cpuUsage(before);
      expect((user + system) / 1000, JSON.stringify(prefix + piece)).toBeLessThan(800);
    }
  }
});
