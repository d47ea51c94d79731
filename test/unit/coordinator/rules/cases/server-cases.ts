import { append, database, inFile, module, settings } from "../edits.ts";
import type { RuleCase } from "./rule-case.ts";

const conf = "/db/data/kingbase.conf";
const poolConf = "kingbasecluster.conf";

export const serverCases: readonly RuleCase[] = [
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
    pitfall: "F6",
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
];
