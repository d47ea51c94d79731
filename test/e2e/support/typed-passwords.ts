import { createHash } from "node:crypto";
import type { FileFormat } from "#shared/config-files/file-format.ts";
import { quoteSetting } from "#shared/config-files/setting-line.ts";

/** A password as nobody should type it into a config file, and pieces of it that must not be seen either. */
export type TypedPassword = {
  readonly text: string;
  /** Of letters and digits, for places that quote nothing. */
  readonly plain: string;
  /** By what they are called in a report. */
  readonly spellings: Readonly<Record<string, string>>;
};

export function typedPassword(tag: string): TypedPassword {
  const plain = `Pn8${tag}Wd3`;
  const pieces = [`Zq7${tag}`, `Kw9${tag}`, `Xv3${tag}`, `Yj5${tag}`];
  const text = `${pieces[0]}'${pieces[1]} ${pieces[2]}\\${pieces[3]}`;
  return {
    text,
    plain,
    spellings: {
      [`${tag}`]: text,
      [`${tag}, plain`]: plain,
      [`${tag}, md5 with its user`]: md5(`${plain}SYSTEM`),
      ...Object.fromEntries(pieces.map((piece, at) => [`${tag}, piece ${at}`, piece])),
    },
  };
}

/** What people type into a file of this format with a password in it; `broken` can't be parsed. */
export function linesWith(
  format: FileFormat,
  { text, plain }: TypedPassword,
): { readonly sound: readonly string[]; readonly broken: readonly string[] } {
  const base64 = Buffer.from(text).toString("base64");
  const inShell = `'${text.replaceAll("'", String.raw`'\''`)}'`;
  const inConninfo = `'${text.replace(/['\\]/g, "\\$&")}'`;
  const prose = [`# old password: ${text}`, `# PGPASSWORD=${inShell} psql`];
  switch (format) {
    case "server-conf":
    case "recovery-conf":
    case "pool-conf":
      return {
        sound: [
          `primary_conninfo = ${quoteSetting(`host=10.0.0.9 password = ${inConninfo} user=x`)}`,
          `primary_conninfo = 'host=10.0.0.9 password=${base64} application_name=srv129'`,
          `#primary_conninfo='postgresql://u:${encodeURIComponent(text)}@h/db?sslpassword=${plain}'`,
          String.raw`restore_command = 'PGPASSWORD=\'${plain}\' scp h:%f %p'`,
          `archive_command = ${quoteSetting(`test -f x && PGPASSWORD=${inShell} scp %p h:`)}`,
          `archive_command = 'curl -u me:${plain} -T %p https://me:${plain}@h/%f'`,
          `ssl_passphrase_command = ${quoteSetting(`echo ${inShell}`)}`,
          ...["sr_check", "health_check", "recovery", "wd_lifecheck"].map(
            (name) => `${name}_password = ${quoteSetting(text)}`,
          ),
          `#wd_authkey = '${plain}' # ours`,
          `failover_command = '/x.sh -W ${plain} %H'`,
          `passwrod = '${plain}'`,
          `work_mem = 4MB # it was password=${plain}`,
          ...prose,
        ],
        broken: [
          `primary_conninfo = 'host=10.0.0.9 password=${text} user=x`,
          `archive_command = 'curl --user me:${plain} https://me:${plain}@h`,
          `sr_check_password = '`,
          `${plain}'`,
        ],
      };
    case "ha-module":
      return {
        sound: [
          `KB_PASS="${base64}"`,
          `PCP_PASS=${plain}`,
          `#KB_PASS="${plain}"`,
          `KB_CMD="ksql -W ${plain} -U SYSTEM"`,
          ...prose,
        ],
        broken: [`export ES_PASS=${inShell}`, `KB_PASS="${plain}`, plain, `KB_PASS: ${text}`],
      };
    case "hba":
      return {
        sound: [
          `host db me 10.9.9.9/32 ldap ldapserver=h ldapbindpasswd="${plain}" ldapprefix="cn="`,
          `host db me 10.9.9.8/32 radius radiusservers=h radiussecrets="${plain}"`,
          ...prose,
        ],
        broken: [`host db me 10.9.9.7/32 ldap ldapbindpasswd ${text}`],
      };
    case "password-hashes":
      return {
        sound: [
          `one:${plain}`,
          `SYSTEM:md5${md5(`${plain}SYSTEM`)}`,
          `three:${md5(plain)}`,
          `four:TEXT${text}`,
          `five:AES${base64}`,
          `six:SCRAM-SHA-256$4096:${base64}$${plain}=:${plain}=`,
          `#seven:${plain}`,
          ...prose,
        ],
        broken: [plain, text],
      };
    case "cron":
      return {
        sound: [
          `*/5 * * * * kingbase KCIPASSWORD=${inShell} ksql -c x`,
          `#*/5 * * * * kingbase ksql -W ${plain} -U SYSTEM`,
          `KCIPASSWORD="${plain}"`,
          ...prose,
        ],
        broken: [`* * kingbase PGPASSWORD=${text}`],
      };
    case "pool-status":
    case "pcp-pass":
    case "pg-pass":
    case "secret":
    case "other":
      return { sound: prose, broken: [`password = ${text}`] };
  }
}

function md5(text: string): string {
  return createHash("md5").update(text).digest("hex");
}
