import type { WorldOptions } from "../declared-node.ts";
import { slot } from "../node-facts.ts";
import {
  addresses,
  all,
  append,
  database,
  type Edit,
  file,
  guard,
  inEveryModule,
  inFile,
  module,
  pool,
  settings,
} from "./edits.ts";

/** One way to break a rule, and one that stops just short of it. */
export type RuleCase = {
  readonly rule: string;
  readonly options?: WorldOptions;
  readonly breaks: Edit;
  readonly keeps: Edit;
  /** Must stand in what was found. */
  readonly says: RegExp;
  /** On which node; null for the cluster. */
  readonly on: string | null;
};

const postgresql: WorldOptions = { product: "postgresql", pool: true };
const synchronous: WorldOptions = { synchronous: "1 (srv127, srv129)" };
const conf = "/db/data/kingbase.conf";
const autoConf = "/db/data/kingbase.auto.conf";
const recovery = "/db/data/recovery.conf";
const template = "/db/etc/recovery.done";
const poolConf = "kingbasecluster.conf";
const hba = "sys_hba.conf";

export const ruleCases: readonly RuleCase[] = [
  {
    rule: "application-name",
    breaks: inFile("srv129", template, "application_name=srv129", "application_name=srv127"),
    keeps: inFile("srv129", template, "application_name=srv129", "application_name='srv129'"),
    says: /application_name is srv127/,
    on: "srv129",
  },
  {
    rule: "application-name",
    options: postgresql,
    breaks: inFile("srv129", "postgresql.auto.conf", "application_name=srv129", ""),
    keeps: all(
      inFile("srv129", "postgresql.auto.conf", "application_name=srv129", ""),
      append("srv129", "postgresql.auto.conf", "primary_conninfo = ''\n"),
    ),
    says: /no application_name/,
    on: "srv129",
  },
  {
    rule: "own-slot",
    breaks: inFile("srv129", recovery, "slot_srv129", "slot_srv127"),
    keeps: inFile("srv129", recovery, "='slot_srv129'", " = 'slot_srv129' # ours"),
    says: /primary_slot_name is slot_srv127/,
    on: "srv129",
  },
  {
    rule: "upstream-not-self",
    breaks: inFile("srv129", recovery, "host=192.168.4.127", "host=192.168.4.129"),
    keeps: inFile("srv129", recovery, "host=192.168.4.127", "host=srv127.example"),
    says: /192\.168\.4\.129, this node itself/,
    on: "srv129",
  },
  {
    rule: "upstream-not-self",
    breaks: inFile("srv129", template, "host=192.168.4.127", "host=192.168.4.200"),
    keeps: inFile("srv129", template, "host=192.168.4.127", "host=192.168.4.20"),
    says: /a virtual address/,
    on: "srv129",
  },
  {
    rule: "upstream-declared",
    breaks: inFile("srv129", recovery, "port=54321", "port=54322"),
    keeps: inFile("srv129", recovery, "port=54321 ", ""),
    says: /192\.168\.4\.127:54322 is not its port/,
    on: "srv129",
  },
  {
    rule: "timeline-latest",
    breaks: inFile("srv129", recovery, "recovery_target_timeline = 'latest'\n", ""),
    keeps: inFile("srv129", recovery, "'latest'", "latest"),
    says: /no recovery_target_timeline/,
    on: "srv129",
  },
  {
    rule: "timeline-latest",
    options: postgresql,
    breaks: settings("srv129", { recovery_target_timeline: "current" }),
    keeps: settings("srv127", { recovery_target_timeline: "current" }),
    says: /'current'/,
    on: "srv129",
  },
  {
    rule: "recovery-addresses",
    breaks: append("srv129", recovery, "restore_command = 'scp 10.0.0.9:%f %p'\n"),
    keeps: append("srv129", recovery, "restore_command = 'scp 192.168.4.127:%f %p'\n"),
    says: /also 10\.0\.0\.9/,
    on: "srv129",
  },
  {
    rule: "slots-everywhere",
    breaks: database("srv127", { slots: [] }),
    keeps: database("srv127", {
      slots: [slot("slot_srv129", false, null), slot("more", true, null)],
    }),
    says: /no slot slot_srv129/,
    on: "srv127",
  },
  {
    rule: "replication-room",
    breaks: settings("srv127", { max_wal_senders: "2" }),
    keeps: settings("srv127", { max_wal_senders: "3", max_replication_slots: "1" }),
    says: /max_wal_senders = 2/,
    on: "srv127",
  },
  {
    rule: "hot-standby-settings",
    breaks: settings("srv129", { max_connections: "99" }),
    keeps: all(
      settings("srv129", { max_connections: "100" }),
      // Below version 12 a standby may have fewer of these.
      settings("srv129", { max_wal_senders: "5" }),
    ),
    says: /max_connections 99, 100 on srv127/,
    on: "srv129",
  },
  {
    rule: "hot-standby-settings",
    options: postgresql,
    breaks: append("srv127", "postgresql.conf", "max_connections = 200\n"),
    keeps: append("srv129", "postgresql.conf", "max_connections = 200\n"),
    says: /100 in the files, 200 on srv127/,
    on: "srv129",
  },
  {
    rule: "rewind-possible",
    breaks: settings("srv129", { wal_log_hints: "off" }),
    keeps: settings("srv129", { wal_log_hints: "off", data_checksums: "on" }),
    says: /wal_log_hints = off/,
    on: "srv129",
  },
  {
    rule: "sync-flag",
    options: synchronous,
    breaks: module("srv129", "SYNC_FLAG=1", "SYNC_FLAG=0"),
    keeps: module("srv129", "SYNC_FLAG=1", 'SYNC_FLAG="1"'),
    says: /SYNC_FLAG=0/,
    on: "srv129",
  },
  {
    rule: "sync-list-in-force",
    options: synchronous,
    breaks: settings("srv127", { synchronous_standby_names: "" }),
    keeps: settings("srv127", { synchronous_standby_names: "1 (srv127,srv129)" }),
    says: /in force '', in the files '1 \(srv127, srv129\)'/,
    on: "srv127",
  },
  {
    rule: "sync-list-overruled",
    options: synchronous,
    breaks: append("srv127", autoConf, "SYNCHRONOUS_STANDBY_NAMES = ''\n"),
    keeps: append("srv127", autoConf, "SYNCHRONOUS_STANDBY_NAMES = '1 (srv127, srv129, srv131)'\n"),
    says: /overruled by ''/,
    on: "srv127",
  },
  {
    rule: "sync-list-names",
    options: synchronous,
    breaks: settings("srv127", { synchronous_standby_names: "1 (srv127, srv130)" }),
    keeps: settings("srv127", { synchronous_standby_names: "1 (srv127, SRV129)" }),
    says: /names srv130/,
    on: "srv127",
  },
  {
    rule: "sync-list-names",
    options: synchronous,
    breaks: settings("srv127", { synchronous_standby_names: "1 (srv127)" }),
    keeps: settings("srv127", { synchronous_standby_names: "*" }),
    says: /names no standby/,
    on: "srv127",
  },
  {
    rule: "file-parses",
    breaks: append("srv129", conf, "max_connections 100 200\n"),
    keeps: append("srv129", conf, "max_connections 100 # 200\n"),
    says: /unexpected text/,
    on: "srv129",
  },
  {
    rule: "conf-copies",
    breaks: inFile("srv129", conf, "wal_level = replica", "wal_level = logical"),
    keeps: inFile("srv129", conf, "#synchronous", "## #synchronous"),
    says: /wal_level = logical/,
    on: "srv129",
  },
  {
    rule: "setting-once",
    breaks: append("srv129", conf, "wal_level = logical\n"),
    keeps: append("srv129", conf, "wal_level = 'replica'\n#wal_level = minimal\n"),
    says: /wal_level on lines/,
    on: "srv129",
  },
  {
    rule: "auto-conf-overrules",
    breaks: append("srv129", autoConf, "wal_level = 'logical'\n"),
    keeps: append("srv129", autoConf, "WAL_LEVEL = 'replica'\nwork_mem = '8MB'\n"),
    says: /wal_level = 'replica', overruled by 'logical'/,
    on: "srv129",
  },
  {
    rule: "ports-agree",
    breaks: module("srv129", 'KB_PORT="54321"', 'KB_PORT="54322"'),
    keeps: module("srv129", 'KB_PORT="54321"', "KB_PORT=54321"),
    says: /KB_PORT is 54322/,
    on: "srv129",
  },
  {
    rule: "ports-agree",
    breaks: settings("srv129", { port: "5432" }),
    keeps: database("srv129", { status: "stopped", settings: { port: "5432" } }),
    says: /port is 5432$/,
    on: "srv129",
  },
  {
    rule: "ports-agree",
    breaks: inFile("srv127", poolConf, "backend_port1 = 54321", "backend_port1 = 54322"),
    keeps: inFile("srv127", poolConf, "backend_port1 = 54321", "backend_port1 = '54321'"),
    says: /backend_port1 is 54322/,
    on: "srv127",
  },
  {
    rule: "archive-works",
    breaks: settings("srv127", { archive_command: "" }),
    keeps: settings("srv127", { archive_command: "", archive_dest: "/home/archive" }),
    says: /no command/,
    on: "srv127",
  },
  {
    rule: "archive-everywhere",
    breaks: settings("srv129", { archive_mode: "off" }),
    keeps: settings("srv129", { archive_mode: "always" }),
    says: /archive_mode = off, on on srv127/,
    on: "srv129",
  },
  {
    rule: "hba-trust-world",
    breaks: append("srv129", hba, "host all app ::/0 trust\n"),
    keeps: append("srv129", hba, "host all app 10.0.0.0/8 trust\n"),
    says: /host all app ::\/0 trust/,
    on: "srv129",
  },
  {
    rule: "hba-trust-world",
    breaks: append("srv129", "cluster_hba.conf", "host all all all trust\n"),
    keeps: append("srv129", "cluster_hba.conf", "local all all trust\n"),
    says: /trust/,
    on: "srv129",
  },
  {
    rule: "hba-open-world",
    breaks: append("srv129", hba, "host all all 0.0.0.0 0.0.0.0 md5\n"),
    keeps: append("srv129", hba, "host all all 0.0.0.0/0 reject\nhost all all 0.0.0.0/1 md5\n"),
    says: /0\.0\.0\.0 0\.0\.0\.0 md5/,
    on: "srv129",
  },
  {
    rule: "hba-nodes",
    breaks: inFile("srv127", hba, /host +replication +SYSTEM +192\.168\.4\.129\/32 +md5\n/, ""),
    keeps: inFile(
      "srv127",
      hba,
      /host +replication +SYSTEM +192\.168\.4\.129\/32 +md5\n/,
      "host replication system 192.168.4.128/31 md5\n",
    ),
    says: /no line for 192\.168\.4\.129/,
    on: "srv127",
  },
  {
    rule: "hba-virtual-addresses",
    breaks: inFile("srv127", hba, "host replication SYSTEM 192.168.4.201/32 md5\n", ""),
    keeps: inFile("srv127", hba, "192.168.4.201/32", "192.168.4.200/31"),
    says: /no line for 192\.168\.4\.201/,
    on: "srv127",
  },
  {
    rule: "well-known-password",
    breaks: file("srv129", "/db/etc/HAmodule.conf", {
      notes: [{ line: 15, code: "well-known-password" }],
    }),
    keeps: file("srv129", "/db/etc/HAmodule.conf", { notes: [] }),
    says: /db\/etc\/HAmodule\.conf has a well-known password on line 15/,
    on: "srv129",
  },
  {
    rule: "secret-file-mode",
    breaks: file("srv129", "/db/etc/HAmodule.conf", { mode: 0o644 }),
    keeps: all(
      file("srv129", "/db/etc/HAmodule.conf", { mode: 0o640 }),
      file("srv129", hba, { mode: 0o644 }),
    ),
    says: /mode 0644/,
    on: "srv129",
  },
  {
    rule: "backend-rows-equal",
    breaks: inFile("srv129", poolConf, "backend_weight1 = 1", "backend_weight1 = 2"),
    keeps: inFile("srv129", poolConf, "backend_weight1 = 1", "backend_weight1='1'"),
    says: /weight 1.*weight 2/,
    on: null,
  },
  {
    rule: "backend-rows-declared",
    breaks: all(
      inFile("srv129", poolConf, "hostname0 = '192.168.4.127'", "hostname0 = '192.168.4.130'"),
      inFile("srv129", poolConf, "hostname1 = '192.168.4.129'", "hostname1 = '192.168.4.127'"),
    ),
    // A row that was prepared for a node to come is nobody's yet.
    keeps: append("srv129", poolConf, "backend_hostname2 = '192.168.4.159'\n"),
    says: /backend_hostname0 is 192\.168\.4\.130/,
    on: "srv129",
  },
  {
    rule: "backend-rows-loaded",
    breaks: pool("srv129", {
      rows: [
        {
          id: 0,
          hostname: "192.168.4.129",
          port: 54_321,
          status: "up",
          role: "primary",
          weight: 1,
        },
      ],
    }),
    // A pool forgets a row only at its restart.
    keeps: pool("srv129", {
      rows: [
        {
          id: 7,
          hostname: "192.168.4.159",
          port: 54_321,
          status: "down",
          role: "standby",
          weight: 1,
        },
      ],
    }),
    says: /0 is 192\.168\.4\.127:54321 in the file, 192\.168\.4\.129:54321 in the pool/,
    on: "srv129",
  },
  {
    rule: "backend-errors",
    breaks: append("srv129", poolConf, "fail_over_on_backend_error = on\n"),
    keeps: append("srv129", poolConf, "fail_over_on_backend_error = off\n"),
    says: /= on/,
    on: "srv129",
  },
  {
    rule: "auto-failback",
    breaks: inFile("srv129", poolConf, "auto_failback = off", "auto_failback = 'true'"),
    keeps: inFile("srv129", poolConf, "auto_failback = off", "#auto_failback = on"),
    says: /auto_failback = on/,
    on: "srv129",
  },
  {
    rule: "pool-connections",
    breaks: inFile("srv129", poolConf, "num_init_children = 16", "num_init_children = 25"),
    keeps: inFile("srv129", poolConf, "num_init_children = 16", "num_init_children = 24"),
    says: /25 × 4 = 100 sessions, 100 - 3 connections/,
    on: "srv129",
  },
  {
    rule: "pool-users",
    breaks: inFile("srv129", "cluster_passwd", "app:md5[secret]\n", ""),
    keeps: inFile("srv129", "cluster_passwd", /^(.*\n)(.*\n)$/, "$2$1"),
    says: /srv129: without app, against srv127/,
    on: null,
  },
  {
    rule: "trust-addresses",
    breaks: module("srv129", 'IP="192.168.4.1,192.168.4.2"', 'IP="192.168.4.1"'),
    keeps: module("srv129", 'IP="192.168.4.1,192.168.4.2"', 'IP="192.168.4.2,192.168.4.1"'),
    says: /KB_GATEWAY_IP is 192\.168\.4\.1$/,
    on: "srv129",
  },
  {
    rule: "trust-addresses",
    breaks: inFile("srv129", poolConf, "trusted_servers = '192.168.4.1,", "trusted_servers = '"),
    keeps: inFile("srv129", poolConf, /trusted_servers = .*/, "trusted_servers = ''"),
    says: /trusted_servers is 192\.168\.4\.2/,
    on: "srv129",
  },
  {
    rule: "virtual-addresses",
    breaks: module("srv129", 'KB_POOL_VIP="192.168.4.201"', 'KB_POOL_VIP="192.168.4.202"'),
    keeps: module("srv129", 'KB_VIP="192.168.4.200/24"', 'KB_VIP="192.168.4.200/24" # of the site'),
    says: /KB_POOL_VIP is 192\.168\.4\.202/,
    on: "srv129",
  },
  {
    rule: "virtual-addresses",
    breaks: inFile(
      "srv129",
      poolConf,
      "delegate_IP = '192.168.4.201'",
      "delegate_IP = '192.168.4.2'",
    ),
    keeps: all(
      inFile("srv129", poolConf, "delegate_IP = '192.168.4.201'", "delegate_IP = '192.168.4.2'"),
      inFile("srv129", poolConf, "use_watchdog = on", "use_watchdog = off"),
    ),
    says: /delegate_IP is 192\.168\.4\.2/,
    on: "srv129",
  },
  {
    rule: "watchdog-names",
    breaks: inFile(
      "srv129",
      poolConf,
      "wd_hostname = '192.168.4.129'",
      "wd_hostname = '192.168.4.127'",
    ),
    keeps: inFile("srv129", poolConf, "wd_hostname = '192.168.4.129'", "#wd_hostname = ''"),
    says: /wd_hostname is 192\.168\.4\.127/,
    on: "srv129",
  },
  {
    rule: "kb-all-ip",
    breaks: module("srv129", "(192.168.4.127 192.168.4.129)", "(192.168.4.127)"),
    keeps: module("srv129", "(192.168.4.127 192.168.4.129)", '("192.168.4.129" 192.168.4.127)'),
    says: /KB_ALL_IP without 192\.168\.4\.129/,
    on: "srv129",
  },
  {
    rule: "all-node-name",
    breaks: module("srv129", "(srv127 srv129)", "(srv127 srv129 srv130)"),
    keeps: module("srv129", "(srv127 srv129)", "( srv127  srv129 )"),
    says: /ALL_NODE_NAME with srv130/,
    on: "srv129",
  },
  {
    rule: "node-order",
    breaks: module("srv129", "(srv127 srv129)", "(srv129 srv127)"),
    keeps: inEveryModule("(srv127 srv129)", "(srv129 srv127)"),
    says: /srv127: srv127 srv129; srv129: srv129 srv127/,
    on: null,
  },
  {
    rule: "kb-localhost-ip",
    breaks: module("srv129", 'LOCALHOST_IP="192.168.4.129"', 'LOCALHOST_IP="192.168.4.127"'),
    keeps: module("srv129", 'LOCALHOST_IP="192.168.4.129"', "LOCALHOST_IP='192.168.4.129'"),
    says: /KB_LOCALHOST_IP is 192\.168\.4\.127/,
    on: "srv129",
  },
  {
    rule: "node-name",
    breaks: module("srv129", /^NODE_NAME=.*\n/m, ""),
    keeps: module("srv129", /^NODE_NAME=.*\n/m, "NODE_NAME=other\nNODE_NAME=srv129\n"),
    says: /NODE_NAME is not set/,
    on: "srv129",
  },
  {
    rule: "ha-module-paths",
    breaks: module("srv129", "/db/bin", "/bin"),
    keeps: module("srv129", '/db/bin"', '/db/bin/"'),
    says: /KB_PATH is .*ESHA\/bin/,
    on: "srv129",
  },
  {
    rule: "dev-interface",
    breaks: module("srv129", 'DEV="ens33"', 'DEV="eth0"'),
    keeps: module("srv129", 'DEV="ens33"', "DEV=ens33"),
    says: /DEV is eth0/,
    on: "srv129",
  },
  {
    rule: "vip-mask",
    breaks: module("srv129", "192.168.4.200/24", "192.168.4.200/16"),
    keeps: all(
      inEveryModule("192.168.4.200/24", "192.168.4.200/16"),
      ...["srv127", "srv129"].map((node) =>
        addresses(node, [
          { nic: "ens33", address: `192.168.4.${node.slice(3)}`, prefix: 16, family: "ipv4" },
        ]),
      ),
    ),
    says: /KB_VIP is 192\.168\.4\.200\/16/,
    on: "srv129",
  },
  {
    rule: "ha-module-pools",
    breaks: module("srv129", 'KB_POOL_IP2="192.168.4.129"', 'KB_POOL_IP2="192.168.4.130"'),
    keeps: module("srv129", 'KB_POOL_IP2="192.168.4.129"', "KB_POOL_IP2=192.168.4.129"),
    says: /KB_POOL_IP2 is 192\.168\.4\.130/,
    on: "srv129",
  },
  {
    rule: "ha-module-copies",
    breaks: inFile(
      "srv129",
      "kingbasecluster/etc/HAmodule.conf",
      'PCP_USER="kingbase"',
      'PCP_USER="pcp"',
    ),
    keeps: inFile(
      "srv129",
      "kingbasecluster/etc/HAmodule.conf",
      'PCP_USER="kingbase"',
      "PCP_USER=kingbase # pcp",
    ),
    says: /PCP_USER differs/,
    on: "srv129",
  },
  {
    rule: "ha-module-last-line",
    breaks: module("srv129", /\n$/, ""),
    keeps: append("srv129", "HAmodule.conf", "# the end"),
    says: /has no newline and is ignored/,
    on: "srv129",
  },
  {
    rule: "ha-module-hash",
    breaks: module("srv129", 'PCP_USER="kingbase"', 'PCP_USER="king#base"'),
    keeps: module("srv129", 'PCP_USER="kingbase"', 'PCP_USER="kingbase" # king'),
    says: /PCP_USER is cut at its #/,
    on: "srv129",
  },
  {
    rule: "ha-module-list",
    breaks: module(
      "srv129",
      "KB_ALL_IP=(192.168.4.127 192.168.4.129)",
      'KB_ALL_IP="192.168.4.127 192.168.4.129"',
    ),
    keeps: module(
      "srv129",
      "KB_ALL_IP=(192.168.4.127 192.168.4.129)",
      "KB_ALL_IP=('192.168.4.127' '192.168.4.129')",
    ),
    says: /KB_ALL_IP is the text "192\.168\.4\.127 192\.168\.4\.129"/,
    on: "srv129",
  },
  {
    rule: "ha-module-literal",
    breaks: append("srv129", "HAmodule.conf", 'PING_TIMES="$(id)"\n'),
    keeps: append("srv129", "HAmodule.conf", "PING_TIMES='$(id)'\n"),
    says: /PING_TIMES can't be read without running it/,
    on: "srv129",
  },
  {
    rule: "ha-module-once",
    breaks: append("srv129", "HAmodule.conf", 'DEV="eth0"\nDEV="ens33"\n'),
    keeps: append("srv129", "HAmodule.conf", "DEV=ens33\n"),
    says: /DEV on lines 2, \d+, \d+/,
    on: "srv129",
  },
  {
    rule: "vendor-cron-active",
    breaks: all(guard("srv129", "enforce"), inFile("srv129", "KINGBASECRON", "#*/1", "*/1")),
    keeps: all(guard("srv129", "observe"), inFile("srv129", "KINGBASECRON", "#*/1", "*/1")),
    says: /network_rewind\.sh runs by cron/,
    on: "srv129",
  },
  {
    rule: "vendor-cron-lines",
    breaks: append(
      "srv129",
      "KINGBASECRON",
      "*/1 * * * * kingbase  /elsewhere/network_rewind.sh\n",
    ),
    keeps: append("srv129", "KINGBASECRON", "0 3 * * * kingbase /site/backup.sh\n"),
    says: /network-rewind twice/,
    on: "srv129",
  },
];
