import { expect, test } from "vitest";
import { parseNodeInfo, parseWatchdogInfo } from "#agent/adapters/pcp-output.ts";

test("a row is read from pgpool 4.3's verbose form", () => {
  const text = `Hostname               : 192.168.4.159
Port                   : 5432
Status                 : 3
Weight                 : 0.333333
Status Name            : down
Backend Status Name    : up
Role                   : standby
Backend Role           : standby
Replication Delay      : 0
`;
  const node = { hostname: "192.168.4.159", port: 5432, status: "down", role: "standby" };
  expect(parseNodeInfo(text)).toEqual(node);
});

test("a row is read from the verbose form of 3.6, which has numbers only", () => {
  const text = "Hostname: server0\nPort    : 11002\nStatus  : 1\nWeight  : 0.500000\n";
  const node = { hostname: "server0", port: 11_002, status: "up", role: null };
  expect(parseNodeInfo(text)).toEqual(node);
});

test.each([
  ["192.168.4.129 54321 2 0.333333 up standby 0 2026-11-22 07:11:29\n", "up", "standby"],
  ["192.168.4.129 54321 2 0.333333 waiting primary\n", "up", "primary"],
  ["192.168.4.129 54321 3 0.333333 down slave\n", "down", "slave"],
  ["192.168.4.129 54321 up 0.333333\n", "up", null],
  ["192.168.4.129 54321 0 0.333333\n", "unused", null],
])("a row is read from the plain form %j", (text, status, role) => {
  expect(parseNodeInfo(text)).toEqual({ hostname: "192.168.4.129", port: 54_321, status, role });
});

test.each(["", "\n", "pcp_node_info -- Command Successful\n", "ERROR:  invalid node ID\n"])(
  "%j is no row",
  (text) => {
    expect(parseNodeInfo(text)).toBeNull();
  },
);

const summary = "Watchdog Cluster Information \nTotal Nodes : 2\n";
const node = (name: string, status: string): string =>
  `Node Name         : ${name}:9999 Linux ${name}\nHost Name : ${name}\nStatus Name : ${status}\n`;

test("the pool that was asked stands first, and says whether it leads", () => {
  const leader = `${summary}Leader Host Name         : n1\n\nWatchdog Node Information \n`;
  const asked = `${leader}${node("n2", "STANDBY")}\n${node("n1", "LEADER")}`;
  expect(parseWatchdogInfo(asked)).toEqual({ isLeader: false, leader: "n1" });
  expect(parseWatchdogInfo(`${leader}${node("n1", "LEADER")}`)?.isLeader).toBe(true);
});

test("before 4.2 the leader was called master", () => {
  const text = `${summary}Master Host Name : n1\n\nWatchdog Node Information \n${node("n1", "MASTER")}`;
  expect(parseWatchdogInfo(text)).toEqual({ isLeader: true, leader: "n1" });
});

test("an answer without nodes is no watchdog", () => {
  expect(parseWatchdogInfo("\n")).toBeNull();
});
