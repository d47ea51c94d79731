import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fileFormats, formatOfPath } from "#shared/config-files/file-format.ts";
import { parseHaModule } from "#shared/config-files/ha-module.ts";
import { maskChange, maskSecrets } from "#shared/config-files/mask-secrets.ts";
import { encodeUtf8 } from "#shared/config-files/text-file.ts";
import { parsePoolConf } from "#shared/config-files/pool-conf.ts";
import { configText, fixture, runs } from "./fixture.ts";

const secrets = [
  "MTIzNDU2",
  "Y2FzdGVsbGFu",
  "YXV0aA==",
  "3afebd0fba6df9fc2cf82c0b09926bcc",
  "f7902af5f3f7cdcad02b5ca09320d102",
  "pass:word",
];

test.each(["HAmodule.conf", "recovery.conf", "kingbasecluster.conf", "cluster_passwd", "pcppass"])(
  "no secret of %s is shown, and the rest stays readable",
  (name) => {
    const text = fixture(`kes/${name}`);
    const masked = maskSecrets(`/x/${name}`, text);
    for (const secret of secrets) expect(masked).not.toContain(secret);
    expect(masked).toContain("[secret]");
    const lines = text.split("\n");
    const changed = masked.split("\n").filter((line, index) => line !== lines[index]);
    expect(changed.every((line) => line.includes("[secret]"))).toBe(true);
    expect(maskSecrets(`/x/${name}`, masked)).toBe(masked);
  },
);

test.each([
  ...["postgresql-10.conf", "postgresql-15.conf", "postgresql-18.conf", "recovery-10.conf"],
  ...["pg_hba-10.conf", "pg_hba-15.conf", "pg_hba-18.conf", "kes/sys_hba.conf", "kes/ident.conf"],
  ...["pgpool-4.3.conf", "pool_hba-4.3.conf", "kes/KINGBASECRON", "kes/kingbase.conf"],
])("%s holds no secret and is shown as it is", (name) => {
  expect(maskSecrets(name, fixture(name))).toBe(fixture(name));
});

describe("a secret is hidden wherever it may stand", () => {
  test.each([
    ["recovery-conf", "primary_conninfo = 'host=a password=hunter2 user=b'"],
    ["recovery-conf", "#primary_conninfo = 'host=a password=''hunter2 c=hunter2'' user=b'"],
    ["recovery-conf", String.raw`primary_conninfo = 'password=\'hunter2 hunter2\''`],
    ["recovery-conf", "primary_conninfo = 'host=a password=hunter2"],
    ["recovery-conf", "primary_conninfo = 'postgresql://u:hunter2@h/db?x=y'"],
    ["recovery-conf", "restore_command = 'PGPASSWORD=hunter2 scp x'"],
    ["recovery-conf", "restore_command = 'fetch --password hunter2 x'"],
    ["server-conf", "ssl_passphrase_command = 'echo hunter2'"],
    ["server-conf", "ext.password 'hunter2'"],
    ["server-conf", "ext.password'hunter2'"],
    ["pool-conf", "health_check_password12='hunter2'"],
    ["pool-conf", "#wd_authkey = 'hunter2' # ours"],
    ["pool-conf", "sr_check_password = 'hunter2"],
    ["pool-conf", "wd_authkey_base64 = 'hunter2'"],
    ["pool-conf", "failover_command='f.sh -W hunter2 %H'"],
    ["ha-module", 'KB_PASS="hunter2"hunter2'],
    ["ha-module", "KB_PASS=hunter2 # note"],
    ["ha-module", "#KB_PASS='hunter2'"],
    ["ha-module", "KB_PASS=\\\nhunter2\\\nhunter2"],
    ["ha-module", " KB_PASS = hunter2"],
    ["hba", "host all all all ldap ldapserver=x ldapbindpasswd=hunter2"],
    ["hba", 'host all all all radius radiussecrets="hunter2 hunter2"'],
    ["password-hashes", "SYSTEM:hunter2"],
    ["password-hashes", "hunter2"],
    ["pcp-pass", "h:9898:u:hunter2:hunter2"],
    ["pg-pass", String.raw`h\:x:5432:db:u:hunter2`],
    ["pg-pass", "hunter2"],
    ["pg-pass", "#x:5432:u:hunter2"],
    ["cron", "0 1 * * * kingbase  ksql -W hunter2 -U SYSTEM"],
    ["cron", "0 1 * * * kingbase  KCIPASSWORD='hunter2 hunter2' ksql"],
    ["recovery-conf", "primary_conninfo = 'host=a password=hunter2 hunter2 user=b'"],
    ["recovery-conf", "primary_conninfo = 'password=''hunter2''hunter2'' user=b'"],
    ["recovery-conf", "primary_conninfo = 'host=a passwrod=hunter2'"],
    ["recovery-conf", "primary_conninfo = 'postgresql://u:x@h/db?sslpassword=hunter2'"],
    ["recovery-conf", "primary_conninfo = 'postgresql://u@h/db?p%61ssword=hunter2&sslmode=prefer'"],
    ["recovery-conf", "primary_conninfo = 'postgresql://u:hunt/hunter2@h/db'"],
    ["recovery-conf", "primary_conninfo = 'postgresql://u:hunt@hunter2@h/db'"],
    ["recovery-conf", "primary_conninfo = 'host=a password=[secret]hunter2'"],
    ["recovery-conf", "primary_conninfo = 'host=a password=\nhunter2'"],
    ["recovery-conf", "restore_command = 'PGPASSWORD=''hunter2 hunter2'' scp x'"],
    ["recovery-conf", `restore_command = 'PGPASSWORD="a ''hunter2" scp x'`],
    ["recovery-conf", "restore_command = 'curl -u me:hunter2 https://h/%f'"],
    ["recovery-conf", "restore_command = 'curl --user ''me:hun ter2 hunter2'' https://h/%f'"],
    ["recovery-conf", "restore_command = 'curl https://me:hunter2@h/%f -o %p'"],
    ["recovery-conf", `restore_command = 'curl -H "Authorization: Basic hunter2 hunter2" h'`],
    ["recovery-conf", `restore_command = 'curl -H "X-Api-Key: hunter2" https://h/%f'`],
    ["recovery-conf", "restore_command = 'sshpass -p hunter2 scp x'"],
    ["recovery-conf", "restore_command = 'SSHPASS=hunter2 sshpass -e scp x'"],
    ["recovery-conf", `restore_command = 'sh -c "PGPASSWORD=hunter2 hunter2"'`],
    ["recovery-conf", "restore_command = 'PGPASSWORD=$(echo hunter2) psql'"],
    ["server-conf", "passwrod = 'hunter2'"],
    ["server-conf", "archive_command = 'AWS_SECRET_ACCESS_KEY=hunter2 aws s3 cp %p x'"],
    ["server-conf", "archive_command = 'psql -c \"ALTER USER a PASSWORD ''hunter2''\"'"],
    ["server-conf", "archive_command = 'PGPASSWORD=hunter2;psql"],
    ["server-conf", "# old password: hunter2"],
    ["server-conf", "port = 5432 # the password was hunter2"],
    ["server-conf", "work_mem = 4MB # PGPASSWORD=hunter2 psql"],
    ["server-conf", "#sr_check_password hunter2"],
    ["server-conf", encodeUtf8("# 旧密码：hunter2")],
    ["server-conf", encodeUtf8("# 口令 hunter2")],
    ["ha-module", "export KB_PASS=hunter2"],
    ["ha-module", "KB_PASS:hunter2"],
    ["ha-module", 'KB_CMD="ksql -W hunter2 -U SYSTEM"'],
    ["ha-module", encodeUtf8('KB_PASSWROD="密码hunter2" # base64')],
    ["ha-module", 'KB_PASS="\nhunter2"'],
    ["hba", "host all all all ldap ldapserver=x ldapbindpasswd hunter2"],
    ["hba", "host all all all ldap ldapserver=x ldapbindpassword = hunter2"],
    ["hba", 'host all all all ldap ldapurl="ldap://cn=x:hunter2@h/dc=x"'],
    ["hba", "# ldap's password is hunter2"],
    ["password-hashes", "#SYSTEM:hunter2"],
    ["password-hashes", "# SYSTEM:md53afebd0fba6df9fc2cf82c0b09926bcc:hunter2"],
    ["pool-conf", "recovery_1st_stage_command = 'x.sh' --password=hunter2"],
    ["cron", "0 1 * * * kingbase  KCIPASSWORD=hunter2\\ hunter2 ksql"],
    ["cron", "0 1 * * * kingbase  KCIPASSWORD=a'b c'hunter2 ksql"],
    ["cron", encodeUtf8("0 1 * * * kingbase  KCIPASSWORD=密码hunter2 ksql")],
    ["cron", "#0 1 * * * kingbase ksql --passwd hunter2"],
    ["cron", "0 1 * * * kingbase pcp_attach_node -Whunter2 -U SYSTEM"],
    ["other", "password: hunter2 hunter2\nexport PGPASSWORD=hunter2"],
    ["other", '{"token": "hunter2"}'],
    ["secret", "-----BEGIN\nhunter2\n"],
  ])("%s: %s", (format, text) => {
    expect(maskSecrets(format, text)).not.toContain("hunter2");
    expect(maskSecrets(format, text)).toContain("[secret]");
  });

  test("names of files and empty values are no secrets", () => {
    const text = "pool_passwd = 'pool_passwd'\nsr_check_password = ''\npassword_encryption = md5\n";
    expect(maskSecrets("pool-conf", text)).toBe(text);
  });

  test("the comment after a secret stays", () => {
    expect(maskSecrets("ha-module", 'KB_PASS="x"  # base64\r\n')).toBe(
      'KB_PASS="[secret]"  # base64\r\n',
    );
  });

  test("any text in any format is masked without failing, line by line", () => {
    fc.assert(
      fc.property(configText, fc.constantFrom(...fileFormats), (text, format) => {
        const masked = maskSecrets(format, text);
        expect(masked.split("\n")).toHaveLength(text.split("\n").length);
      }),
      runs,
    );
  });

  test("whatever the password is, it doesn't show", () => {
    const secret = fc.stringMatching(/^[!-~]{8,16}$/);
    fc.assert(
      fc.property(secret, (password) => {
        fc.pre(!"[secret]".includes(password));
        const quoted = password.replaceAll("\\", "\\\\").replaceAll("'", "\\'");
        const conninfo = `host=a password='${quoted}'`;
        const setting = conninfo.replaceAll("\\", "\\\\").replaceAll("'", "''");
        for (const [format, text] of [
          ["recovery-conf", `primary_conninfo = '${setting}'\n`],
          ["pool-conf", `sr_check_password = '${setting}'\n`],
          ["ha-module", `KB_PASS=${password}\n`],
          ["ha-module", `KB_PASS="${password}"\n`],
          ["pg-pass", `*:*:*:*:${password}`],
        ] as const) {
          expect(maskSecrets(format, text)).not.toContain(password);
        }
      }),
      runs,
    );
  });
});

test.each([
  ["server-conf", "archive_command = 'test ! -f /a/%f && cp %p /a/%f' # to /a"],
  ["server-conf", "archive_command = 'PGPASSFILE=/home/a/.pgpass rsync -u %p b@h:/a/%f'"],
  ["server-conf", "password_encryption = 'scram-sha-256'"],
  ["server-conf", "shared_preload_libraries = 'passwordcheck'"],
  ["server-conf", "ssl_passphrase_command_supports_reload = on"],
  ["recovery-conf", "primary_conninfo = 'host=a port=1 user=b passfile=''/home/a b/.pgpass'''"],
  ["recovery-conf", "primary_conninfo = 'postgresql://u@h:5432,i:5433/db?application_name=x'"],
  ["recovery-conf", "restore_command = 'curl -o %p http://h:8080/%f'"],
  ["pool-conf", "failover_command = '/a/f.sh %d %h %p %D %m %H %M %P \"%r\" %R'"],
  ["pool-conf", "# Password of the user; empty: looked up in pool_passwd"],
  ["ha-module", "KB_ALL_IP=(10.0.0.1 10.0.0.2) # KB_PASS stands below"],
  ["hba", 'host "a b" all 10.0.0.0/8 password # was md5'],
  ["cron", "*/1 * * * * kingbase . /etc/profile; /a/network_rewind.sh"],
])("%s: %s has no secret and is shown as it is", (format, line) => {
  expect(maskSecrets(format, line)).toBe(line);
});

test.each([
  ["KB_PASS=MTIzNDU2\n", (text: string) => parseHaModule(text).complaints],
  ["PCP_PASS=MTIz # bare\n", (text: string) => parseHaModule(text).complaints],
  ["wd_authkey = hunter2\nport 9999\n", (text: string) => parsePoolConf(text).conf.complaints],
  ["sr_check_password=hunter2 # x\r\n", (text: string) => parsePoolConf(text).conf.complaints],
] as const)("%j is as well formed masked as it is itself", (text, complaintsOf) => {
  expect(complaintsOf(text)).toEqual([]);
  expect(complaintsOf(maskSecrets(formatOfText(text), text))).toEqual([]);
  expect(maskSecrets(formatOfText(text), text)).not.toMatch(/MTIz|hunter2/);
});

function formatOfText(text: string): string {
  return /^[A-Z]/.test(text) ? "ha-module" : "pool-conf";
}

test("a changed secret shows as changed, a moved one doesn't", () => {
  const { before, after } = maskChange(
    "ha-module",
    'KB_PASS="a"\n',
    '\nKB_PASS="b"\n#KB_PASS="a"\n',
  );
  expect(before).toBe('KB_PASS="[secret]"\n');
  expect(after).toBe('\nKB_PASS="[secret, changed]"\n#KB_PASS="[secret]"\n');
});

test.each([
  ["/data/kingbase.auto.conf", "server-conf"],
  ["/data/recovery.done", "recovery-conf"],
  ["/etc/postgresql/15/main/pg_hba.conf", "hba"],
  ["/x/kingbasecluster/etc/HAmodule.conf", "ha-module"],
  ["/etc/pgpool2/pgpool.conf", "pool-conf"],
  ["/x/kingbasecluster_status", "pool-status"],
  ["/etc/pgpool2/pcp.conf", "password-hashes"],
  ["/home/kingbase/.kbpass", "pg-pass"],
  ["/home/kingbase/.pcppass", "pcp-pass"],
  ["/var/lib/postgresql/.pgpoolkey", "secret"],
  ["/data/server.key", "secret"],
  ["/etc/cron.d/KINGBASECRON", "cron"],
  ["/etc/cron.d/other", "cron"],
  ["/x/README", "other"],
])("%s has the format %s", (path, format) => {
  expect(formatOfPath(path)).toBe(format);
});
