import { expect, test } from "vitest";
import { newestSight } from "#agent/decide/newest-sight.ts";
import { unrest } from "#agent/decide/unrest.ts";
import type { PoolSight } from "#shared/domain/cluster-view.ts";
import type { PoolFacts } from "#shared/domain/facts.ts";
import { peer, primary, threeNodes, view } from "./view-builder.ts";

const cluster = threeNodes();
const somePool = (): PoolFacts => ({
  kind: "pgpool",
  status: "running",
  problem: null,
  pid: 1,
  version: null,
  rows: [],
  isLeader: null,
  clientSessions: 0,
  settings: {},
});
const poolOf = (status: PoolSight["status"], rowStatus = "up"): PoolSight => ({
  node: "srv127",
  at: 1,
  status,
  rows: [
    { id: 1, hostname: "srv129", port: 5432, status: rowStatus, role: "standby", weight: 0.5 },
  ],
  problem: null,
});
const well = [peer("srv129"), peer("srv159")];

test("of two who know what a database is the newer one counts, and neither gives way to one who can't reach it", () => {
  const older = peer("srv129", { at: 1, from: "coordinator" });
  const newer = peer("srv129", { at: 2, database: "refused" });
  const silent = peer("srv129", { at: 3, database: "silent" });
  const shutOut = peer("srv129", { at: 4, database: "login-failed" });
  expect(newestSight(older, newer)).toBe(newer);
  expect(newestSight(newer, older)).toBe(newer);
  for (const unreached of [silent, shutOut]) {
    expect(newestSight(unreached, older)).toBe(older);
    expect(newestSight(older, unreached)).toBe(older);
  }
  expect(newestSight(silent, shutOut)).toBe(shutOut);
  expect(newestSight(null, silent)).toBe(silent);
  expect(newestSight(null, null)).toBe(null);
});

test("a cluster where all is well, and a host that knows of no cluster, give no unrest", () => {
  expect(unrest(view(primary(), { cluster, peers: well }))).toEqual([]);
  expect(unrest(view(primary()))).toEqual([]);
});

test.each([
  ["here stopped", primary({ status: "stopped", role: null }), well],
  ["here follows nobody", primary({ role: "standby", receiver: null }), well],
  ["srv159 not seen", primary(), [peer("srv129")]],
  ["srv159 silent", primary(), [peer("srv129"), peer("srv159", { database: "silent" })]],
  ["srv159 follows nobody", primary(), [peer("srv129"), peer("srv159", { upstream: null })]],
  ["srv159 is a primary too", primary(), [peer("srv129"), peer("srv159", { database: "primary" })]],
  ["pool of srv127 silent", primary(), well, poolOf("silent")],
  ["row 1 of srv127 down", primary(), well, poolOf("answers", "down")],
])("what is off is named: %s", (what, database, peers, pool = poolOf("answers")) => {
  expect(unrest(view(database, { cluster, peers, pools: [pool] }))).toEqual([what]);
});

test("a pool of this host that does not run is off too", () => {
  const stopped = { ...somePool(), status: "stopped" as const };
  expect(unrest(view(primary(), { cluster, peers: well, pool: stopped }))).toEqual([
    "pool here stopped",
  ]);
});
