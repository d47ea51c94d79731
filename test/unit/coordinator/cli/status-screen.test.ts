import { expect, test } from "vitest";
import { renderStatus } from "#coordinator/cli/render/status.ts";
import { someStatus, someStatusCluster, unseen } from "#test/unit/coordinator/some-status.ts";

test("the screen of a healthy cluster", () => {
  expect(renderStatus(someStatus(someStatusCluster()))).toMatchInlineSnapshot(`
    [
      "ESHA is healthy (kingbase-v8r3, pool kingbasecluster)",
      "",
      "  NODE    ADDRESS              AGENT      TOLD       GUARD",
      "  srv127  192.168.4.127:54321  connected  2.0 s ago  enforce",
      "  srv129  192.168.4.129:54321  connected  2.0 s ago  enforce",
      "  srv159  192.168.4.159:54321  connected  2.0 s ago  enforce",
      "",
      "  NODE    DATABASE  ROLE     IN POOL  IN FILES  TIMELINE  POOL ROW",
      "  srv127  running   primary  primary  primary   3         up",
      "  srv129  running   standby  standby  standby   3         up",
      "  srv159  running   standby  standby  standby   3         up",
      "",
      "  NODE    UPSTREAM  STREAM     SYNC   LAG         SLOT",
      "  srv127  -         -          -      -           -",
      "  srv129  srv127    streaming  async  0 B, 0.0 s  active",
      "  srv159  srv127    streaming  async  0 B, 0.0 s  active",
      "",
      "  ON      SLOT         HOLDS BACK  BUDGET   DISK FREE  FULL IN",
      "  srv127  slot_srv129  0 B         4.0 GiB  30.0 GiB   not filling",
      "  srv127  slot_srv159  0 B         4.0 GiB  30.0 GiB   not filling",
      "",
      "  virtual address of the database 192.168.4.126: srv127",
      "  virtual address of the pool 192.168.4.125: srv127",
      "",
      "coordinator 0.1.0, epoch 3, 1970-01-01 00:00:10Z",
    ]
  `);
});

test("the screen of one that is down says what is wrong first, worst first, each with what to type", () => {
  const cluster = someStatusCluster(
    {
      alerts: { critical: 1, warning: 0, info: 2 },
      operation: { id: "op-abc", state: "running", subject: "srv159" },
    },
    (node) => {
      if (node.name === "srv129") return unseen(node, "away", { lastSeenAt: 2_000, isReceiving: null }); // prettier-ignore
      if (node.name === "srv159") return { ...node, isReceiving: false, lagBytes: 40 * 1024 ** 2, lagMs: 12_300 }; // prettier-ignore
      return {
        ...node,
        database: "stopped",
        role: null,
        isReceiving: false,
        problems: { ...node.problems, database: "no server answers on port 54321, and its log ends with a shutdown at 20:14" }, // prettier-ignore
      };
    },
  );
  expect(renderStatus(someStatus(cluster))).toMatchInlineSnapshot(`
    [
      "ESHA is down (kingbase-v8r3, pool kingbasecluster)",
      "  critical  no node is seen that accepts writes: srv127 is stopped, srv129 is",
      "            unknown, srv159 is a standby",
      "            right: exactly one node accepts writes (no-primary)",
      "            next:  castellan why srv127",
      "  critical  srv127: its database is stopped (no server answers on port 54321,",
      "            and its log ends with a shutdown at 20:14)",
      "            right: its database runs and answers (database-not-running)",
      "            next:  castellan why srv127",
      "  critical  srv159: it receives no WAL",
      "            right: every standby receives WAL (not-streaming)",
      "            next:  castellan why srv159",
      "  critical  1 critical alert stands",
      "            right: no critical alert stands (critical-alerts)",
      "            next:  castellan alert list",
      "  warning   srv159: it is 40.0 MiB behind, at most 12.3 s",
      "            right: at most 16.0 MiB behind (lag-high)",
      "            next:  castellan why srv159",
      "  unknown   srv129: unknown since 1970-01-01 00:00:02Z, as its agent is away;",
      "            srv127 says that its replication is streaming",
      "            right: its agent is connected (agent-away)",
      "            next:  systemctl status castellan-agent, on srv129",
      "",
      "  NODE    ADDRESS              AGENT      TOLD       GUARD",
      "  srv127  192.168.4.127:54321  connected  2.0 s ago  enforce",
      "  srv129  192.168.4.129:54321  away       8.0 s ago  -",
      "  srv159  192.168.4.159:54321  connected  2.0 s ago  enforce",
      "",
      "  NODE    DATABASE  ROLE     IN POOL  IN FILES  TIMELINE  POOL ROW",
      "  srv127  stopped   -        primary  primary   3         up",
      "  srv129  unknown   -        standby  -         -         up",
      "  srv159  running   standby  standby  standby   3         up",
      "",
      "  NODE    UPSTREAM  STREAM     SYNC   LAG                  SLOT",
      "  srv127  -         -          -      -                    -",
      "  srv129  srv127    streaming  async  0 B, 0.0 s           active",
      "  srv159  srv127    streaming  async  40.0 MiB, <= 12.3 s  active",
      "",
      "  ON      SLOT         HOLDS BACK  BUDGET   DISK FREE  FULL IN",
      "  srv127  slot_srv129  0 B         4.0 GiB  30.0 GiB   not filling",
      "  srv127  slot_srv159  0 B         4.0 GiB  30.0 GiB   not filling",
      "",
      "  virtual address of the database 192.168.4.126: srv127",
      "  virtual address of the pool 192.168.4.125: srv127",
      "  operation op-abc on srv159 is running: castellan operation watch op-abc",
      "  3 alerts: 1 critical, 2 info: castellan alert list",
      "",
      "coordinator 0.1.0, epoch 3, 1970-01-01 00:00:10Z",
    ]
  `);
});

test("both screens fit on 80 columns", () => {
  const healthy = renderStatus(someStatus(someStatusCluster()));
  const away = renderStatus(someStatus(someStatusCluster({}, (node) => unseen(node, "away"))));
  expect(Math.max(...[...healthy, ...away].map((line) => line.length))).toBeLessThanOrEqual(80);
});

test("a node that the pools see differently shows each pool's view", () => {
  const pools = [
    { on: "srv127", status: "up", role: "standby" },
    { on: "srv129", status: "down", role: "standby" },
  ];
  const screen = renderStatus(someStatus(someStatusCluster({}, (node) => ({ ...node, pools }))));
  expect(screen.join("\n")).toContain("srv127:up srv129:down");
});

test("an agent of another version than the coordinator's says which", () => {
  const shown = (agentVersion: string) =>
    renderStatus(someStatus(someStatusCluster({}, (node) => ({ ...node, agentVersion })))).join("\n"); // prettier-ignore
  expect(shown("0.1.0")).not.toContain("(0.1.0)");
  expect(shown("0.2.0")).toContain("connected (0.2.0)");
});
