import { addresses, all, append, inEveryModule, inFile, module } from "../edits.ts";
import type { RuleCase } from "./rule-case.ts";

export const haModuleCases: readonly RuleCase[] = [
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
    pitfall: "F3",
    rule: "dev-interface",
    breaks: module("srv129", 'DEV="ens33"', 'DEV="eth0"'),
    keeps: module("srv129", 'DEV="ens33"', "DEV=ens33"),
    says: /DEV is eth0/,
    on: "srv129",
  },
  {
    pitfall: "F1",
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
];
