import { describe, expect, test } from "vitest";
import { newComplaints } from "#shared/config-files/file-complaints.ts";
import {
  haKeyComplaints,
  recoveryKeyComplaints,
  serverKeyComplaints,
} from "#shared/config-files/key-complaints.ts";
import { parseHaModule } from "#shared/config-files/ha-module.ts";
import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { parseServerConf } from "#shared/config-files/server-conf.ts";
import { fixture } from "./fixture.ts";

test("a setting that stands there twice is named at the line that counts", () => {
  const text = "port = 1\n#port = 9\nPort = 2\nfsync = on\n";
  expect(serverKeyComplaints(parseServerConf(text, "/data/kingbase.conf"))).toEqual([
    {
      file: "/data/kingbase.conf",
      line: 3,
      column: 1,
      message: "port is set 2 times",
      hint: "Line 3 counts: take out the others.",
      isDoubt: true,
    },
  ]);
});

test("a recovery file with a setting of the server's own file is named", () => {
  const text = "standby_mode = on\n#port = 1\n  port = 1\nTrigger_File = '/x'\n";
  expect(recoveryKeyComplaints(parseServerConf(text))).toMatchObject([
    { line: 3, column: 3, message: "port is no recovery setting" },
  ]);
});

describe("HAmodule.conf", () => {
  test.each([
    ["KB_ALLIP=(a b)\n", "KB_ALLIP is no key that the scripts read"],
    ["PATH=/tmp\n", "PATH changes how the scripts themselves run, as root"],
    ["LD_PRELOAD=/tmp/x.so\n", "LD_PRELOAD changes how the scripts themselves run, as root"],
    ["SYNC_FLAG=1\nSYNC_FLAG=0\n", "SYNC_FLAG is set 2 times"],
  ])("%j", (text, message) => {
    expect(haKeyComplaints(parseHaModule(text))).toMatchObject([{ column: 1, message }]);
  });
});

test.each([
  ["kes/HAmodule.conf", "ha-module"],
  ["kes/recovery.conf", "recovery-conf"],
  ["recovery-10.conf", "recovery-conf"],
  ["kes/kingbase.conf", "server-conf"],
  ["postgresql-15.conf", "server-conf"],
  ["kes/kingbasecluster.conf", "pool-conf"],
  ["pgpool-4.3.conf", "pool-conf"],
] as const)("%s has no such key, masked or not", (name, format) => {
  const maskedText = maskSecrets(name, fixture(name));
  expect(newComplaints({ path: name, format, maskedText }, null)).toEqual([]);
});

test("what was there before is not complained about again", () => {
  const before = "port = 1\nport = 2\n";
  const complaintsOf = (maskedText: string) =>
    newComplaints({ path: "kingbase.conf", format: "server-conf", maskedText }, before);
  expect(complaintsOf(`# moved\n${before}`)).toEqual([]);
  expect(complaintsOf(`${before}port = 3\n`)).toMatchObject([{ message: "port is set 3 times" }]);
});
