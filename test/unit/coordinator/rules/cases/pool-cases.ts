import { all, append, inFile, module, pool } from "../edits.ts";
import type { RuleCase } from "./rule-case.ts";

const poolConf = "kingbasecluster.conf";

export const poolCases: readonly RuleCase[] = [
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
    rule: "failover-executor",
    breaks: append("srv129", poolConf, "failover_command = '/x/failover_stream.sh %d'\n"),
    keeps: append("srv129", poolConf, "failover_command = ''\n"),
    says: /srv127: nobody, srv129: failover_stream\.sh/,
    on: null,
  },
  {
    rule: "failover-executor",
    breaks: append(
      "srv127",
      poolConf,
      "failover_command = '/usr/bin/node /x/castellan-failover.js %d'\n",
    ),
    keeps: append("srv127", poolConf, "#failover_command = '/x/castellan-failover %d'\n"),
    says: /srv127: castellan-failover, srv129: nobody/,
    on: null,
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
    rule: "pool-check-passwords",
    breaks: append(
      "srv129",
      poolConf,
      "health_check_period = '1'\nhealth_check_user = 'SYSTEM'\nhealth_check_password = ''\n",
    ),
    keeps: append(
      "srv129",
      poolConf,
      "health_check_period = 1\nhealth_check_user = 'SYSTEM'\nhealth_check_password0 = '[secret]'\nhealth_check_user1 = 'nobody'\n",
    ),
    says: /health_check_password is empty, and SYSTEM stands in kingbasecluster\/etc\/cluster_passwd/,
    on: "srv129",
  },
  {
    rule: "pool-check-passwords",
    breaks: append("srv129", poolConf, "sr_check_user = 'SYSTEM'\n"),
    keeps: append("srv129", poolConf, "sr_check_user = 'SYSTEM'\nsr_check_period = 0\n"),
    says: /sr_check_password is empty/,
    on: "srv129",
  },
  {
    rule: "pool-check-passwords",
    breaks: append(
      "srv127",
      poolConf,
      "health_check_period = 0\nhealth_check_period1 = 5\nhealth_check_user1 = 'app'\n",
    ),
    keeps: append("srv127", poolConf, "sr_check_user = 'app'\npool_passwd = ''\n"),
    says: /health_check_password is empty, and app stands/,
    on: "srv127",
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
];
