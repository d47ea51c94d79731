import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { passwordNotes } from "#agent/observe/password-notes.ts";

const md5 = (text: string): string => createHash("md5").update(text).digest("hex");
const base64 = (text: string): string => Buffer.from(text).toString("base64");

test.each([
  ["ha-module", `DEV="ens33"\nKB_PASS="${base64("KINGBASEADMIN")}"\n`, [2]],
  ["ha-module", `PCP_PASS="${base64("123456\n")}"\n`, [1]],
  ["ha-module", `KB_PASS="${base64("a site's own")}"\n`, []],
  ["recovery-conf", `primary_conninfo = 'host=a password=${base64("123456")}'\n`, [1]],
  ["recovery-conf", "primary_conninfo = 'host=123456 user=postgres'\n", []],
  ["server-conf", "\nprimary_conninfo = 'user=a password=postgres'\n", [2]],
  ["pool-conf", "sr_check_password = 'postgres'\n#health_check_password = 'postgres'\n", [1]],
  ["pool-conf", "wd_authkey = 'TEXTchangeme'\n", [1]],
  ["password-hashes", `kingbase:${md5("123456")}\n`, [1]],
  ["password-hashes", `# kingbase:${md5("123456")}\n`, []],
  ["password-hashes", `a:md5${md5("xyzzy")}\nSYSTEM:md5${md5("123456SYSTEM")}\n`, [2]],
  // Of another user's name the same hash says nothing.
  ["password-hashes", `app:md5${md5("123456SYSTEM")}\n`, []],
])("in %s %j: lines %j", (format, text, lines) => {
  const { notes = [] } = passwordNotes(format, text);
  expect(notes).toEqual(lines.map((line) => ({ line, code: "well-known-password" })));
});
