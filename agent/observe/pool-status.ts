import type { PoolRow } from "#shared/domain/facts.ts";
import type { Row } from "../ports.ts";
import { numberOf, textOf } from "./row-values.ts";

/** Readers of what the pool's own programs print. pgpool docs: pcp_node_info, pcp_watchdog_info, SHOW POOL_NODES. */

/** pgpool source, POOL_STATUS / CON_*: how a backend's state is numbered. */
const statusNames: Readonly<Record<string, string>> = {
  "0": "unused",
  "1": "waiting",
  "2": "up",
  "3": "down",
};
const roles: Readonly<Record<string, string>> = {
  primary: "primary",
  main: "primary",
  master: "primary",
  standby: "standby",
  replica: "standby",
  slave: "standby",
};

/**
 * `srv129 5432 2 0.500000 up up standby standby 0 streaming async 2026-11-22 07:11:29` is one backend a line, in the
 * order of their ids; older versions print fewer words. null where a line is none.
 */
export function parseNodeInfo(text: string): readonly PoolRow[] | null {
  const rows: PoolRow[] = [];
  for (const line of text.split("\n").filter((line) => line.trim() !== "")) {
    const [hostname, port, code, weight, ...rest] = line.trim().split(/\s+/);
    const status = statusNames[code ?? ""];
    if (hostname === undefined || status === undefined || !/^\d+$/.test(port ?? "")) return null;
    const role = rest.find((word) => roles[word] !== undefined) ?? "";
    rows.push({
      id: rows.length,
      hostname,
      port: Number(port),
      status,
      role: roles[role] ?? "",
      weight: Number(weight) || 0,
    });
  }
  return rows;
}

/** `show pool_nodes`, by column name: versions differ in which columns there are. */
export function poolRowOf(row: Row): PoolRow {
  const role = textOf(row, "role") ?? "";
  return {
    id: numberOf(row, "node_id") ?? 0,
    hostname: textOf(row, "hostname") ?? "",
    port: numberOf(row, "port") ?? 0,
    status: textOf(row, "status") ?? "",
    role: roles[role] ?? role,
    weight: numberOf(row, "lb_weight") ?? 0,
  };
}

/**
 * Is the local pool the watchdog's leader? The first line sums up, the second is always the local node:
 * `srv127:9999 Linux srv127 srv127 9999 9000 4 LEADER 0 MEMBER`. null where there is no such line.
 */
export function parseIsLeader(text: string): boolean | null {
  const local = text.split("\n").filter((line) => line.trim() !== "")[1];
  const state = local?.match(/\b(LEADER|MASTER|STANDBY|LOST|SHUTDOWN|WAITING\w*|INITIALIZING)\b/i);
  return state === undefined || state === null ? null : /^(leader|master)$/i.test(state[1] ?? "");
}

/** Established TCP sessions whose local port is this one: lines of /proc/net/tcp and tcp6. */
export function sessionsToPort(table: string, port: number): number {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  return table.split("\n").filter((line) => {
    const [, local, , state] = line.trim().split(/\s+/);
    return state === "01" && local?.endsWith(wanted) === true;
  }).length;
}
