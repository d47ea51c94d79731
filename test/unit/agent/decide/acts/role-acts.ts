import { noMarks } from "#agent/decide/view.ts";
import type { FileFacts } from "#shared/domain/facts.ts";
import { cronFile, peer, primary, threeNodes, view } from "../view-builder.ts";
import type { Acts } from "./acts.ts";

const cluster = threeNodes();
const standby = primary({ role: "standby", receiver: null, hasStandbyMarker: true, slots: [], replication: [] }); // prettier-ignore
const stopped = { ...standby, status: "stopped", role: null } as const;
const follows127: FileFacts = {
  ...cronFile("primary_conninfo = 'host=192.168.4.127 port=54321 application_name=srv159'\n"),
  path: "/data/postgresql.auto.conf",
  format: "auto-conf",
};
const diverged = { at: 1, timeline: 2, because: "timeline 1 was left at 0/4000000 and this node's WAL goes to 0/5000000" }; // prettier-ignore

/** srv129 was promoted; srv127, the primary before, runs no database. */
export const promoted = [
  peer("srv127", { database: "refused", systemIdentifier: null, timeline: null, upstream: null }),
  peer("srv129", { database: "primary", timeline: 2, upstream: null }),
];
export const onSrv159 = (more: Parameters<typeof view>[1] = {}, database = standby) =>
  view(database, { node: "srv159", cluster, peers: promoted, files: [follows127], ...more });
export const onSrv127 = (
  more: Parameters<typeof view>[1] = {},
  database: Partial<typeof standby> = {},
) =>
  view(primary(database), {
    node: "srv127",
    cluster,
    peers: [
      promoted[1] ?? peer("srv129"),
      peer("srv159", { timeline: 2, upstream: "192.168.4.129" }),
    ],
    ...more,
  });
const formerly = (rejoin: "standbys" | "all") =>
  onSrv127({ policy: { rejoin } }, { ...stopped, hasStandbyMarker: false });

export const roleActs: Acts = {
  "old-primary-running": [["with the new one in sight", onSrv127()]],
  "old-primary-stopped": [
    ["with `guard.rejoin: all`", formerly("all")],
    ["else", formerly("standbys")],
  ],
  "rejoin-interrupted": [
    ["from where it was", onSrv159({ marks: { ...noMarks, rejoiningSince: 1 } })],
  ],
  "standby-diverged": [
    ["where `guard.rejoin` allows it", onSrv159({ marks: { ...noMarks, diverged } })],
    [
      "else",
      onSrv159({ marks: { ...noMarks, diverged: { ...diverged, because: "its WAL went another way" } }, policy: { rejoin: "never" } }), // prettier-ignore
    ],
  ],
  "upstream-changed": [["where the WAL fits", onSrv159()]],
  "restart-interrupted": [
    [
      "at once",
      onSrv159({ marks: { ...noMarks, restartingSince: 1 } }, { ...standby, ...stopped }),
    ],
  ],
};
