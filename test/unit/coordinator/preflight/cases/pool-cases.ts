import { changePool } from "../../world.ts";
import type { Case } from "./case.ts";
import { host, pool, poolConf } from "./edits.ts";

export const poolCases: readonly Case[] = [
  {
    check: "pool-declared",
    when: "no node is declared to run the pool",
    status: "fail",
    options: pool,
    edit: (world) =>
      Object.assign(world.declaration, {
        nodes: world.declaration.nodes.map((node) => ({ ...node, pool: null })),
      }),
  },
  {
    check: "pool-running",
    when: "a pool does not answer",
    status: "fail",
    options: pool,
    edit: (world) =>
      changePool(world, "srv129", { status: "unreachable", problem: "pcp: connection refused" }),
    says: /connection refused/,
  },
  {
    check: "pool-rows-up",
    when: "a pool has a node down",
    status: "fail",
    options: pool,
    edit: (world) =>
      changePool(world, "srv127", {
        rows: (world.facts.get("srv127")?.pool?.rows ?? []).map((row) =>
          row.id === 1 ? { ...row, status: "down" } : row,
        ),
      }),
    says: /pcp_attach_node -n 1/,
  },
  {
    check: "pool-roles",
    when: "a pool takes a standby for the primary",
    status: "fail",
    options: pool,
    edit: (world) =>
      changePool(world, "srv127", {
        rows: (world.facts.get("srv127")?.pool?.rows ?? []).map((row) => ({
          ...row,
          role: row.id === 1 ? "primary" : "standby",
        })),
      }),
  },
  {
    check: "pool-rows-equal",
    when: "the pools number their rows differently",
    status: "fail",
    options: pool,
    edit: poolConf("backend_hostname1 = '192.168.4.129'", "backend_hostname1 = '192.168.4.130'"),
  },
  {
    check: "pool-rows-declared",
    when: "a row is not the declared node's",
    status: "fail",
    options: pool,
    edit: poolConf("backend_port1 = 5432", "backend_port1 = 5433"),
  },
  {
    check: "backend-free",
    when: "the prepared row has another data directory",
    status: "fail",
    options: pool,
    edit: poolConf(
      /$/,
      "backend_hostname2 = '192.168.4.159'\nbackend_port2 = 5432\nbackend_data_directory2 = '/elsewhere'\n",
    ),
  },
  {
    check: "auto-failback",
    when: "a pool attaches nodes by itself",
    status: "fail",
    options: pool,
    edit: poolConf("auto_failback = off", "auto_failback = on"),
  },
  {
    check: "load-balance",
    when: "a pool sends all reads to the primary",
    status: "fail",
    options: pool,
    edit: poolConf("load_balance_mode = on", "load_balance_mode = off"),
  },
  {
    check: "pool-backend-errors",
    when: "one broken connection is a failover",
    status: "warn",
    options: pool,
    edit: poolConf(/$/, "failover_on_backend_error = on\n"),
  },
  {
    check: "pool-reload",
    when: "a pool is too old to take a row by reload",
    status: "fail",
    options: pool,
    edit: (world) => changePool(world, "srv127", { version: "3.4.1" }),
    says: /castellan pool prepare ESHA srv159/,
  },
  {
    check: "pool-root-helper",
    when: "a pool's host has no root helper",
    status: "warn",
    options: pool,
    edit: host("srv129", { rootHelperVerbs: [] }),
    says: /reconnects once/,
  },
  {
    pitfall: "F4",
    check: "watchdog",
    when: "two pools lead",
    status: "fail",
    options: pool,
    edit: (world) => changePool(world, "srv129", { isLeader: true }),
  },
];
