import { expect, test } from "vitest";
import { ruleTable } from "#coordinator/rules/table.ts";
import {
  editFiles,
  ruleAlerts,
  ruleBed,
  untilBroken,
  untilMended,
  untilOver,
} from "./support/rule-bed.ts";

/** Rules that one of the tests below has seen broken and mended. */
const proved = new Set<string>();

test("on KingbaseES every rule that is broken on real files is an alert, and over when it is mended as proposed", async () => {
  await using bed = await ruleBed({ product: "kingbase-v8r3", synchronous: true });
  const { cluster, castellan } = bed;
  const { root, dataDir } = cluster.node("srv129").paths;
  const etc = `${root}/db/etc`;
  const poolEtc = `${root}/kingbasecluster/etc`;

  // As it was built: what the vendor's defaults leave open, and nothing else.
  expect([...bed.standing].toSorted()).toEqual([
    "rule:ESHA:hba-open-world",
    "rule:ESHA:hba-virtual-addresses",
    "rule:ESHA:well-known-password",
  ]);

  const module = (from: string | RegExp, to: string) => ({ node: "srv129", file: `${etc}/HAmodule.conf`, change: [from, to] as const }); // prettier-ignore
  const pool = (from: string | RegExp, to: string) => ({ node: "srv129", file: `${poolEtc}/kingbasecluster.conf`, change: [from, to] as const }); // prettier-ignore
  const recovery = (from: string | RegExp, to: string) => ({ node: "srv129", file: `${dataDir}/recovery.conf`, change: [from, to] as const }); // prettier-ignore
  const putBack = await editFiles(bed, [
    module("KB_ALL_IP=(192.168.4.127 192.168.4.129)", "KB_ALL_IP=(192.168.4.127)"),
    module("ALL_NODE_NAME=(srv127 srv129)", "ALL_NODE_NAME=(srv127 srv129 srv130)"),
    module('KB_LOCALHOST_IP="192.168.4.129"', 'KB_LOCALHOST_IP="192.168.4.127"'),
    module('NODE_NAME="srv129"', 'NODE_NAME="srv127"'),
    module(/KB_DATA_PATH=.*/, 'KB_DATA_PATH="/elsewhere"'),
    module('DEV="eth0"', 'DEV="eth1"'),
    module("/24", "/16"),
    module('KB_POOL_IP2="192.168.4.129"', 'KB_POOL_IP2="192.168.4.130"'),
    module('KB_POOL_VIP="192.168.4.201"', 'KB_POOL_VIP="192.168.4.202"'),
    module(/KB_GATEWAY_IP=.*/, 'KB_GATEWAY_IP="192.168.4.9"'),
    module("SYNC_FLAG=1", "SYNC_FLAG=0"),
    module('KB_PORT="54321"', 'KB_PORT="54322"'),
    module('PING_TIMES="3"', 'PING_TIMES="3"\nPING_TIMES="4"'),
    module('PCP_USER="kingbase"', 'PCP_USER="king#base"'),
    module(/^CMD_IP_PATH=.*/m, 'CMD_IP_PATH="$(which ip)"'),
    {
      node: "srv127",
      file: `${etc}/HAmodule.conf`,
      change: [
        "KB_ALL_IP=(192.168.4.127 192.168.4.129)",
        'KB_ALL_IP="192.168.4.127 192.168.4.129"',
      ],
    },
    { node: "srv127", file: `${etc}/HAmodule.conf`, change: 'LAST="1"' },
    {
      node: "srv127",
      file: `${poolEtc}/HAmodule.conf`,
      change: ["(srv127 srv129)", "(srv129 srv127)"],
    },
    recovery("slot_srv129", "slot_srv127"),
    recovery("'latest'", "'current'"),
    recovery("port=54321", "port=54322"),
    {
      node: "srv129",
      file: `${dataDir}/recovery.conf`,
      change: "restore_command = 'scp 10.0.0.9:%f %p'\n",
    },
    {
      node: "srv129",
      file: `${etc}/recovery.done`,
      change: ["host=192.168.4.127", "host=192.168.4.220"],
    },
    {
      node: "srv129",
      file: `${etc}/recovery.done`,
      change: ["application_name=srv129", "application_name=srv127"],
    },
    { node: "srv129", file: `${dataDir}/kingbase.conf`, change: "wal_level = logical\n" },
    { node: "srv129", file: `${dataDir}/kingbase.auto.conf`, change: "max_connections = 99\n" },
    {
      node: "srv129",
      file: `${dataDir}/sys_hba.conf`,
      change: [
        /host +replication +SYSTEM +192\.168\.4\.127\/32 +md5\n/,
        "host all app ::/0 trust\n",
      ],
    },
    { node: "srv129", file: `${poolEtc}/cluster_passwd`, change: [/^app:.*\n/m, ""] },
    pool("backend_hostname1 = '192.168.4.129'", "backend_hostname1 = '192.168.4.130'"),
    pool("failover_on_backend_error = off", "failover_on_backend_error = on"),
    pool("auto_failback = off", "auto_failback = on"),
    pool("num_init_children = 32", "num_init_children = 320"),
    pool("wd_hostname = '192.168.4.129'", "wd_hostname = '192.168.4.127'"),
    {
      node: "srv129",
      file: `${poolEtc}/kingbasecluster.conf`,
      change: "failover_command = '/x/castellan-failover.js %d'\n",
    },
    {
      node: "srv129",
      file: "/etc/cron.d/KINGBASECRON",
      change: `#*/1 * * * * kingbase  ${root}/db/bin/network_rewind.sh\n`,
    },
  ]);
  const alerts = await untilBroken(bed, [
    ...onSrv129(
      "kb-all-ip",
      "all-node-name",
      "kb-localhost-ip",
      "node-name",
      "ha-module-paths",
      "dev-interface",
      "vip-mask",
      "ha-module-pools",
      "virtual-addresses",
      "trust-addresses",
      "sync-flag",
      "ports-agree",
      "ha-module-once",
      "ha-module-hash",
      "ha-module-literal",
      "ha-module-copies",
      "own-slot",
      "timeline-latest",
      "upstream-declared",
      "recovery-addresses",
      "upstream-not-self",
      "application-name",
      "conf-copies",
      "setting-once",
      "hot-standby-settings",
      "hba-trust-world",
      "hba-nodes",
      "backend-rows-declared",
      "backend-rows-loaded",
      "backend-errors",
      "auto-failback",
      "pool-connections",
      "watchdog-names",
      "vendor-cron-lines",
    ),
    ["ha-module-list", "srv127"],
    ["ha-module-last-line", "srv127"],
    ["node-order", null],
    ["backend-rows-equal", null],
    ["failover-executor", null],
    ["pool-users", null],
  ]);
  const localIp = alerts.find(({ cause }) => cause.startsWith("rule:ESHA:kb-localhost-ip:srv129"));
  expect(localIp).toMatchObject({ severity: "critical", file: `${etc}/HAmodule.conf` });
  const { stdout } = await castellan.cli(["rules", "explain", "kb-localhost-ip"]);
  expect(stdout).toContain("srv129: KB_LOCALHOST_IP is 192.168.4.127");
  await putBack();
  await untilMended(bed);
  for (const { rule } of alerts) proved.add(rule ?? "");

  // What stands from the start is mended by the very lines that the alerts ask for.
  const open = (await ruleAlerts(castellan)).find(({ rule }) => rule === "hba-virtual-addresses");
  const places = [...(open?.detail ?? "").matchAll(/^- (\S+) (\S+): .*; wanted: (host .*)$/gm)];
  expect(places).toHaveLength(4);
  await editFiles(
    bed,
    places.map(([, node = "", file = "", line = ""]) => ({ node, file, change: `${line}\n` })),
  );
  await editFiles(
    bed,
    ["srv127", "srv129"].map((node) => ({
      node,
      file: `${dataDir}/sys_hba.conf`,
      change: [/^host +all +all +(?:0\.0\.0\.0|::0)\/0 .*\n/gm, ""] as const,
    })),
  );
  await untilOver(bed, ["hba-virtual-addresses", "hba-open-world"]);
  proved.add("hba-virtual-addresses").add("hba-open-world");
}, 180_000);

test("on KingbaseES a rule that only the server or a mode can break is an alert, and over when it is mended as proposed", async () => {
  await using bed = await ruleBed({ product: "kingbase-v8r3", synchronous: true });
  const { castellan, cluster } = bed;
  const { root, dataDir } = cluster.node("srv129").paths;

  const serverBack = await editFiles(bed, [
    {
      node: "srv127",
      file: `${dataDir}/kingbase.conf`,
      change: "archive_command = ''\nsynchronous_standby_names = '1 (srv127, srv130)'\n",
    },
  ]);
  await cluster.sql("srv127", "SELECT pg_reload_conf()");
  // After the reload: a change of any file has the agent ask what is in force.
  const putBack = await editFiles(bed, [
    { node: "srv127", file: `${root}/db/etc/kingbase.conf`, change: "max_connections 100 200\n" },
    {
      node: "srv129",
      file: `${dataDir}/kingbase.conf`,
      change: "wal_log_hints = off\narchive_mode = off\nmax_wal_senders = 2\n",
    },
  ]);
  await cluster.stop("srv129");
  await cluster.start("srv129");
  await cluster.sql("srv129", "SELECT pg_drop_replication_slot('slot_srv127')");
  const module = `${root}/db/etc/HAmodule.conf`;
  await cluster.node("srv129").host.exec(["chmod", "644", module]);
  const alerts = await untilBroken(bed, [
    ["file-parses", "srv127"],
    ["archive-works", "srv127"],
    ["sync-list-names", "srv127"],
    ...onSrv129("rewind-possible", "archive-everywhere", "replication-room", "slots-everywhere"),
    ["secret-file-mode", "srv129"],
  ]);

  await serverBack();
  await cluster.sql("srv127", "SELECT pg_reload_conf()");
  await putBack();
  await cluster.stop("srv129");
  await cluster.start("srv129");
  const fixOf = (rule: string) => alerts.find((alert) => alert.rule === rule)?.fix ?? "";
  expect(fixOf("secret-file-mode")).toBe(`chmod o-rwx ${module}`);
  await cluster.node("srv129").host.exec(fixOf("secret-file-mode").split(" "));
  const sql = /^On srv129: (SELECT .*)$/.exec(fixOf("slots-everywhere"))?.[1] ?? "";
  await cluster.sql("srv129", sql);
  await untilMended(bed);
  for (const { rule } of alerts) proved.add(rule ?? "");

  // Written, and not in force before a reload.
  const asItWas = await editFiles(bed, [
    {
      node: "srv127",
      file: `${dataDir}/kingbase.auto.conf`,
      change: "SYNCHRONOUS_STANDBY_NAMES = ''\n",
    },
  ]);
  const lists = await untilBroken(bed, [["sync-list-overruled", "srv127"]]);
  await asItWas();
  await untilMended(bed);
  for (const { rule } of lists) proved.add(rule ?? "");

  // As kingbase_monitor.sh start does after a takeover.
  await castellan.cli(["guard", "takeover", "ESHA", "--yes"]);
  const cronFile = "/etc/cron.d/KINGBASECRON";
  const asTaken = await editFiles(bed, [
    { node: "srv129", file: cronFile, change: [/^#(.*network_rewind)/m, "$1"] },
  ]);
  await untilBroken(bed, [["vendor-cron-active", "srv129"]]);
  await asTaken();
  await untilMended(bed);
  proved.add("vendor-cron-active");
}, 180_000);

test("on PostgreSQL the rules that need no vendor are alerts when they are broken, and over when they are mended", async () => {
  await using bed = await ruleBed({ product: "postgresql", layout: "debian" });
  const { cluster } = bed;
  const { dataDir, hbaFile, configFile } = cluster.node("srv129").paths;
  const manager = cluster.pools?.nodes.find(({ name }) => name === "srv129")?.pool;
  if (manager === undefined) throw new Error("no pool on srv129");
  const auto = (from: string | RegExp, to: string) => ({ node: "srv129", file: `${dataDir}/postgresql.auto.conf`, change: [from, to] as const }); // prettier-ignore
  const pool = (from: string | RegExp, to: string) => ({ node: "srv129", file: manager.configFile, change: [from, to] as const }); // prettier-ignore

  // As Debian's packages have it.
  const folder = configFile.replace(/[^/]*$/, "conf.d");
  const { host } = cluster.node("srv129");
  await host.makeDirectory(folder, { owner: cluster.lane.osUser });
  await editFiles(bed, [{ node: "srv129", file: configFile, change: "include_dir = 'conf.d'\n" }]);
  const site = `${folder}/10-site.conf`;
  const change = "# ours\nport = 5433\nmax_connections = 50\n";
  const siteBack = await editFiles(bed, [{ node: "srv129", file: site, change }]);
  const included = await untilBroken(bed, onSrv129("ports-agree", "hot-standby-settings"));
  expect(included.map(({ rule, file, line }) => `${rule} ${file}:${line}`).toSorted()).toEqual([
    `hot-standby-settings ${site}:3`,
    `ports-agree ${site}:2`,
  ]);
  await siteBack();
  await untilMended(bed);

  const putBack = await editFiles(bed, [
    auto("host=192.168.4.127", "host=192.168.4.129"),
    auto("application_name=srv129", "application_name=standby"),
    auto("primary_slot_name = 'slot_srv129'", "primary_slot_name = ''"),
    { node: "srv127", file: configFile, change: "max_connections = 200\n" },
    { node: "srv129", file: configFile, change: "wal_level = logical\nmax_wal_senders 10 20\n" },
    { node: "srv129", file: hbaFile, change: "host all all all trust\nhost all all ::/0 md5\n" },
    { node: "srv129", file: manager.passwordFile, change: [/^app:.*\n/m, ""] },
    // md5 of 123456, as pcp.conf keeps it.
    { node: "srv129", file: manager.pcpFile, change: "dba:e10adc3949ba59abbe56e057f20f883e\n" },
    pool("auto_failback = off", "auto_failback = on"),
    pool("failover_on_backend_error = off", "failover_on_backend_error = on"),
    pool("backend_port1 = 5432", "backend_port1 = 5433"),
    pool("num_init_children = 32", "num_init_children = 320"),
    pool(/^health_check_password = .*$/m, "health_check_password = ''"),
  ]);
  await cluster.node("srv129").host.exec(["chmod", "644", manager.pcpFile]);
  const alerts = await untilBroken(bed, [
    ...onSrv129(
      "file-parses",
      "upstream-not-self",
      "application-name",
      "own-slot",
      "hba-trust-world",
      "hba-open-world",
      "well-known-password",
      "auto-failback",
      "backend-errors",
      "ports-agree",
      "backend-rows-loaded",
      "pool-connections",
      "pool-check-passwords",
      "secret-file-mode",
    ),
    ["setting-once", "srv127"],
    ["backend-rows-equal", null],
    ["pool-users", null],
  ]);
  const broken = alerts.find(({ rule }) => rule === "file-parses");
  expect(broken?.detail).toContain("unexpected text after the value of max_wal_senders");
  expect(alerts.map(({ detail }) => detail).join("\n")).not.toContain("e10adc39");
  await putBack();
  await cluster.node("srv129").host.exec(["chmod", "600", manager.pcpFile]);
  await untilMended(bed);
  for (const { rule } of alerts) proved.add(rule ?? "");
}, 180_000);

test("every rule was broken and mended on a lab", () => {
  expect(ruleTable.map(({ id }) => id).filter((id) => !proved.has(id))).toEqual([]);
});

function onSrv129(...rules: readonly string[]): readonly (readonly [string, string])[] {
  return rules.map((rule) => [rule, "srv129"] as const);
}
