import type { GuardView } from "#agent/decide/view.ts";
import type { PoolSight } from "#shared/domain/cluster-view.ts";
import type { DatabaseFacts, PoolRow } from "#shared/domain/facts.ts";
import { peer, primary, threeNodes, view, walsender } from "./view-builder.ts";

export const all = "1 (srv127, srv129, srv159)";

/** srv127 as a synchronous primary, with what streams from it. */
export function synchronousPrimary(
  names: string,
  replication: DatabaseFacts["replication"],
  more: Partial<DatabaseFacts> = {},
): DatabaseFacts {
  return primary({ settings: { synchronous_standby_names: names }, replication, ...more });
}

/** Both pools, with the rows of srv129 and srv159 as given. */
export function bothPools(srv129: string, srv159 = srv129): readonly PoolSight[] {
  return ["srv127", "srv129"].map((node) => ({
    node,
    at: 1,
    status: "answers",
    rows: rows(srv129, srv159),
    problem: null,
  }));
}

function rows(srv129: string, srv159: string): PoolRow[] {
  return ["up", srv129, srv159].map((status, id) => ({
    id,
    hostname: threeNodes().nodes[id]?.address ?? "",
    port: 54321,
    status,
    role: id === 0 ? "primary" : "standby",
    weight: 1,
  }));
}

export const bothGone = ["srv129", "srv159"].map((node) =>
  peer(node, { database: "refused", upstream: null, timeline: null }),
);

/** Both standbys are gone, and every pool knows it. */
export function without(more: Parameters<typeof view>[1] = {}, names = all): GuardView {
  return view(synchronousPrimary(names, []), {
    cluster: threeNodes(),
    peers: bothGone,
    pools: bothPools("down"),
    ...more,
  });
}

/** This host's pool, which leads, with srv129 as given; it streams from srv127, which is this host. */
export function leader(
  srv129: string,
  database = synchronousPrimary("", [walsender("srv129"), walsender("srv159")]),
  more: Parameters<typeof view>[1] = {},
): GuardView {
  return view(database, {
    cluster: threeNodes(),
    peers: [
      peer("srv129", { systemIdentifier: database.systemIdentifier }),
      peer("srv159", { systemIdentifier: database.systemIdentifier }),
    ],
    pool: {
      kind: "pgpool",
      status: "running",
      problem: null,
      pid: 1,
      version: null,
      rows: rows(srv129, "up"),
      isLeader: true,
      clientSessions: 0,
      settings: {},
    },
    ...more,
  });
}
