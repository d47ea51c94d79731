import { expect, test } from "vitest";
import { parseProcStat } from "#agent/adapters/local-processes.ts";
import { parseControlData } from "#agent/observe/control-data.ts";
import { parseLimits } from "#agent/observe/host.ts";
import {
  parseIsLeader,
  parseNodeInfo,
  poolRowOf,
  sessionsToPort,
} from "#agent/observe/pool-status.ts";
import { versionNumberIn } from "#agent/observe/program-versions.ts";
import { rowOfJson } from "#agent/observe/row-values.ts";

test("a program's version line gives the number that the server would give", () => {
  expect(versionNumberIn("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)")).toBe(150_018);
  expect(versionNumberIn("sys_basebackup (PostgreSQL) 10.23")).toBe(100_023);
  expect(versionNumberIn("pg_basebackup (PostgreSQL) 9.6.24")).toBe(90_624);
  expect(versionNumberIn("postgres (PostgreSQL) 19beta1")).toBe(190_000);
  expect(versionNumberIn("kingbase (KINGBASE) V008R003C002B0160")).toBeNull();
});

test("the control file's English text gives identifier and timeline", () => {
  const text = [
    "pg_control version number:            1002",
    "Database system identifier:           7412345678901234567",
    "Database cluster state:               in production",
    "Latest checkpoint's TimeLineID:       3",
    "Latest checkpoint's PrevTimeLineID:   2",
  ].join("\n");
  expect(parseControlData(text)).toEqual({ systemIdentifier: "7412345678901234567", timeline: 3 });
  // Promoted, and ended before its first checkpoint.
  const promoted = `${text}\nMin recovery ending loc's timeline:   4`;
  expect(parseControlData(promoted)).toMatchObject({ timeline: 4 });
  expect(parseControlData("Datenbanksystemidentifikation: 1")).toEqual({
    systemIdentifier: null,
    timeline: null,
  });
});

test("pool rows are read from the words of 4.3 and of 3.6", () => {
  expect(
    parseNodeInfo(
      "srv127 5432 2 0.500000 up up primary primary 0 none none 2026-11-22 07:11:29\n" +
        "srv129 5432 3 0.500000 down up standby standby 0 streaming async 2026-11-22 07:11:29\n",
    ),
  ).toEqual([
    { id: 0, hostname: "srv127", port: 5432, status: "up", role: "primary", weight: 0.5 },
    { id: 1, hostname: "srv129", port: 5432, status: "down", role: "standby", weight: 0.5 },
  ]);
  expect(parseNodeInfo("srv127 54321 1 0.333333 waiting\n")).toEqual([
    { id: 0, hostname: "srv127", port: 54321, status: "waiting", role: "", weight: 0.333333 },
  ]);
  expect(parseNodeInfo("pcp_node_info: connection refused")).toBeNull();
});

test("`show pool_nodes` is read by column name, with whatever columns the version has", () => {
  expect(
    poolRowOf({ node_id: "1", hostname: "srv129", port: "5432", status: "up", role: "slave" }),
  ).toEqual({ id: 1, hostname: "srv129", port: 5432, status: "up", role: "standby", weight: 0 });
});

test("the line after the watchdog's summary says whether the local pool leads", () => {
  const summary = "2 2 YES srv127:9999 Linux srv127 srv127\n\n";
  const leads = "srv127:9999 Linux srv127 srv127 9999 9000 4 LEADER 0 MEMBER\n";
  const follows = "srv129:9999 Linux srv129 srv129 9999 9000 7 STANDBY 0 MEMBER\n";
  expect(parseIsLeader(summary + leads + follows)).toBe(true);
  expect(parseIsLeader(summary + follows + leads)).toBe(false);
  expect(parseIsLeader(summary + leads.replace("LEADER", "MASTER"))).toBe(true);
  expect(parseIsLeader("ERROR: connection refused")).toBeNull();
});

test("only established sessions to the port are counted", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue",
    "   0: 0100007F:270F 00000000:0000 0A 00000000",
    "   1: 0100007F:270F 0100007F:C350 01 00000000",
    "   2: 0100007F:C350 0100007F:270F 01 00000000",
    "   3: 0100007F:270F 0100007F:C351 06 00000000",
  ].join("\n");
  expect(sessionsToPort(table, 9999)).toBe(1);
});

test("soft limits are read, unlimited is null", () => {
  const text = [
    "Limit                     Soft Limit           Hard Limit           Units",
    "Max processes             unlimited            unlimited            processes",
    "Max open files            1024                 1048576              files",
  ].join("\n");
  expect(parseLimits(text)).toEqual({ openFiles: 1024, processes: null });
});

test("a process name with blanks and parentheses does not shift the fields behind it", () => {
  const rest = Array.from({ length: 30 }, (_, index) => String(index + 4)).join(" ");
  expect(parseProcStat(`4711 (tmux: (x) y) S ${rest}`)).toEqual({
    name: "tmux: (x) y",
    state: "S",
    processGroup: 5,
    startTicks: "22",
  });
  expect(parseProcStat("")).toBeNull();
});

test("column names of a JSON row are lower case, whatever the server's folding is", () => {
  expect(rowOfJson('{"RESTART_LSN":"0/1","Active":true}')).toEqual({
    restart_lsn: "0/1",
    active: true,
  });
  expect(rowOfJson("[1]")).toBeNull();
});
