import type { WorldOptions } from "../../declared-node.ts";
import { slot } from "../../node-facts.ts";
import { all, append, database, inFile, module, settings } from "../edits.ts";
import type { RuleCase } from "./rule-case.ts";

const postgresql: WorldOptions = { product: "postgresql", pool: true };
const synchronous: WorldOptions = { synchronous: "1 (srv127, srv129)" };
const autoConf = "/db/data/kingbase.auto.conf";
const recovery = "/db/data/recovery.conf";
const template = "/db/etc/recovery.done";

export const replicationCases: readonly RuleCase[] = [
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
    pitfall: "F11",
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
    pitfall: "F16",
    rule: "sync-flag",
    options: synchronous,
    breaks: module("srv129", "SYNC_FLAG=1", "SYNC_FLAG=0"),
    keeps: module("srv129", "SYNC_FLAG=1", 'SYNC_FLAG="1"'),
    says: /SYNC_FLAG=0/,
    on: "srv129",
  },
  {
    pitfall: "F16",
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
];
