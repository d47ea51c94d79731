import * as fc from "fast-check";
import { expect, test } from "vitest";
import { encodeBase64 } from "#shared/config-files/base64.ts";
import type { FileFormat } from "#shared/config-files/file-format.ts";
import { maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { quoteSetting } from "#shared/config-files/setting-line.ts";
import { encodeUtf8 } from "#shared/config-files/text-file.ts";
import { runs } from "./fixture.ts";

type Place = {
  readonly formats: readonly FileFormat[];
  /** How a password is written there. */
  readonly spell: (password: string) => string;
  readonly line: (spelt: string) => string;
};

const settings: readonly FileFormat[] = ["server-conf", "recovery-conf", "pool-conf"];
const always = (value: string): string => quoteSetting(value, true);
const inConninfo = (text: string): string => `'${text.replace(/['\\]/g, "\\$&")}'`;
const inShell = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
const inDoubleQuotes = (text: string): string => `"${text.replace(/["\\$`]/g, "\\$&")}"`;
/** Cut off before its `@`, digits alone would be a port. */
const inUrl = (text: string): string => encodeURIComponent(`Q${text}`);
/** Where nothing can be quoted. */
const bare = (text: string): string => text.replace(/[\s'"\\#:;=&?@/%$`()[\],]/g, "x");
const plain = (text: string): string => text.replace(/["'\\#$`]/g, "x");

/** Places by the word that stands in the test's name. */
const places: Readonly<Record<string, Place>> = {
  "a conninfo": {
    formats: settings,
    spell: inConninfo,
    line: (spelt) => `primary_conninfo = ${always(`host=a password=${spelt} user=b`)}`,
  },
  "a conninfo with blanks": {
    formats: settings,
    spell: bare,
    line: (spelt) => `  primary_conninfo ${always(`host = a password = ${spelt} user = b`)} # x`,
  },
  "a conninfo in base64": {
    formats: settings,
    spell: encodeBase64,
    line: (spelt) => `#primary_conninfo = 'password=${spelt} port=1'`,
  },
  "a URI": {
    formats: settings,
    spell: inUrl,
    line: (spelt) => `primary_conninfo = 'postgresql://me:${spelt}@h:1,i:2/db?sslmode=prefer'`,
  },
  "a URI's query": {
    formats: settings,
    spell: inUrl,
    line: (spelt) => `primary_conninfo='postgresql://h/db?user=me&password=${spelt}'`,
  },
  "a setting": {
    formats: settings,
    spell: always,
    line: (spelt) => `sr_check_password = ${spelt}`,
  },
  "a misspelt setting": { formats: settings, spell: always, line: (spelt) => `passwrod=${spelt}` },
  "a setting in a comment": {
    formats: settings,
    spell: always,
    line: (spelt) => ` # wd_authkey12 = ${spelt} # ours`,
  },
  "a command's environment": {
    formats: settings,
    spell: inShell,
    line: (spelt) => `archive_command = ${always(`test -f x && PGPASSWORD=${spelt} scp %p x`)}`,
  },
  "a command's option": {
    formats: settings,
    spell: inDoubleQuotes,
    line: (spelt) => `restore_command = ${always(`curl -u me:${spelt} https://h/%f -o %p`)}`,
  },
  "a command in quotes": {
    formats: settings,
    spell: inDoubleQuotes,
    line: (spelt) =>
      `restore_command = ${always(`sh -c ${inShell(`PGPASSWORD=${spelt} get %f`)}`)}`,
  },
  "a URL of a command": {
    formats: settings,
    spell: inUrl,
    line: (spelt) => `restore_command = 'wget -q https://me:${spelt}@h/%f'`,
  },
  "the passphrase's command": {
    formats: settings,
    spell: (text) => always(`echo ${inShell(text)}`),
    line: (spelt) => `ssl_passphrase_command = ${spelt}`,
  },
  "HAmodule.conf": {
    formats: ["ha-module"],
    spell: (text) => `"${plain(text)}"`,
    line: (spelt) => `KB_PASS=${spelt}  # base64`,
  },
  "HAmodule.conf, bare": {
    formats: ["ha-module"],
    spell: bare,
    line: (spelt) => `#PCP_PASS=${spelt}`,
  },
  "HAmodule.conf, exported": {
    formats: ["ha-module"],
    spell: inShell,
    line: (spelt) => `export ES_PASS=${spelt}`,
  },
  hba: {
    formats: ["hba"],
    spell: (text) => `"${plain(text)}"`,
    line: (spelt) => `host all all 0/0 ldap ldapserver=x ldapbindpasswd=${spelt}`,
  },
  "a list of hashes": {
    formats: ["password-hashes"],
    spell: (text) => text,
    line: (spelt) => `SYSTEM:${spelt}`,
  },
  "a list of hashes, in a comment": {
    formats: ["password-hashes"],
    spell: bare,
    line: (spelt) => `# SYSTEM:${spelt}`,
  },
  "a pass file": {
    formats: ["pg-pass"],
    spell: (text) => text.replace(/[:\\]/g, "\\$&"),
    line: (spelt) => `h:1:*:me:${spelt}`,
  },
  "a cron line": {
    formats: ["cron"],
    spell: inShell,
    line: (spelt) => `*/5 * * * * kingbase KCIPASSWORD=${spelt} ksql -c x`,
  },
  "a cron line's option": {
    formats: ["cron"],
    spell: inDoubleQuotes,
    line: (spelt) => `*/5 * * * * kingbase pcp_node_info -U kingbase -W ${spelt} -h x`,
  },
  prose: {
    formats: [...settings, "ha-module", "hba", "cron", "other", "password-hashes"],
    spell: (text) => text,
    line: (spelt) => `# the old password: ${spelt}`,
  },
  "Chinese prose": {
    formats: [...settings, "ha-module", "hba", "cron", "other", "password-hashes"],
    spell: (text) => text,
    line: (spelt) => encodeUtf8("# 旧密码：") + spelt,
  },
};

/** Of characters that no place has around it in a row. */
const password: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(..."QXZJKVWY0123456789".split("")) },
      { weight: 1, arbitrary: fc.constantFrom(...` '"\\#:;=&?@/%$\`()[],~!|<>{}`.split("")) },
      { weight: 1, arbitrary: fc.constantFrom(...["密", "码", "à", "é"].map(encodeUtf8)) },
    ),
    { minLength: 8, maxLength: 24 },
  )
  .map((pieces) => pieces.join(""))
  .filter((text) => text.trim() === text);

/** What careless editing does to a line. */
const damage = fc.oneof(
  fc.constant((line: string) => line),
  fc.constant((line: string) => `${line}\r`),
  fc.nat(30).map((cut) => (line: string) => line.slice(0, Math.max(0, line.length - cut))),
  fc.constantFrom("'", '"').map((quote) => (line: string) => withoutLast(line, quote)),
  fc.constantFrom("'", '"', " x", " '", " #").map((more) => (line: string) => line + more),
);

function withoutLast(line: string, piece: string): string {
  const at = line.lastIndexOf(piece);
  return at === -1 ? line : line.slice(0, at) + line.slice(at + 1);
}

/** Pieces of it that nothing else in the text accounts for. */
function piecesOf(secret: string): readonly string[] {
  return Array.from({ length: Math.max(0, secret.length - 3) }, (_, at) =>
    secret.slice(at, at + 4),
  );
}

test.each(Object.entries(places))(
  "no piece of a password is seen in %s, nor when the line is damaged",
  (_, { formats, spell, line }) => {
    fc.assert(
      fc.property(fc.constantFrom(...formats), password, damage, (format, secret, harm) => {
        const spelt = spell(secret);
        const within = (inner: string): string => ["port = 1", inner, "listen = 2", ""].join("\n");
        const empty = within(line(""));
        const text = within(harm(line(spelt)));
        const masked = maskSecrets(format, text);
        expect(masked.split("\n")).toHaveLength(text.split("\n").length);
        const seen = piecesOf(spelt).filter((piece) => masked.includes(piece));
        expect(seen.filter((piece) => !empty.includes(piece))).toEqual([]);
      }),
      runs,
    );
  },
);
