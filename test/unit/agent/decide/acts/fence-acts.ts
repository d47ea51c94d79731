import type { CheckFacts } from "#shared/domain/facts.ts";
import { noMarks } from "#agent/decide/view.ts";
import { peer, primary, threeNodes, view } from "../view-builder.ts";
import type { Acts } from "./acts.ts";

const cluster = threeNodes();
const helper = view(primary()).facts.host;
const vip = [{ nic: "eth0", address: "192.168.4.200", prefix: 24, family: "ipv4" as const }];

/** Rows of a pool that still names srv127 as its primary. */
export const poolOf = (node: string, status = "up") => ({
  node,
  at: 1_000_000,
  status: "answers" as const,
  problem: null,
  rows: cluster.nodes.map(({ address, port }, id) => ({
    id,
    hostname: address,
    port,
    status: id === 0 ? status : "up",
    role: id === 0 ? "primary" : "standby",
    weight: 1,
  })),
});

/** A former primary that was started as a standby, with everybody else as before. */
export const fenced = (more: Parameters<typeof view>[1] = {}) =>
  view(primary({ role: "standby", hasStandbyMarker: true, replication: [] }), {
    cluster,
    peers: [peer("srv129", { upstream: null }), peer("srv159", { upstream: null })],
    pools: [poolOf("srv127"), poolOf("srv129")],
    marks: { ...noMarks, wasPrimary: { at: 1, timeline: 1 }, fencedAt: 2 },
    ...more,
  });

const opening = fenced({ peers: [], marks: { ...noMarks, fencedAt: 2, restartingSince: 3 } });
export const cutOffWhileOpened = {
  ...opening,
  facts: {
    ...opening.facts,
    database: primary({ status: "stopped", role: null, hasStandbyMarker: false }),
  },
};

export const failedDisk: CheckFacts = {
  name: "disk",
  schedule: "",
  lastRunAt: 1,
  lastResult: "/data: a write hangs for 5 s",
  severity: "critical",
};

const withAddress = (seen: ReturnType<typeof view>) => ({
  ...seen,
  facts: {
    ...seen.facts,
    host: { ...helper, addresses: vip, rootHelperVerbs: ["vip-drop"] },
  },
});

export const fenceActs: Acts = {
  "isolated-primary": [
    [
      "with `guard.selfFence.armed`",
      withAddress(
        view(primary(), { cluster, policy: { selfFence: { armed: true, afterMs: 30_000 } } }),
      ),
    ],
  ],
  "disk-failed": [
    [
      "a primary, with `guard.stopOnDiskFailure`",
      withAddress(
        view(primary(), { cluster, checks: [failedDisk], policy: { stopOnDiskFailure: true } }),
      ),
    ],
  ],
  "fenced-primary": [
    ["all other nodes are seen as standbys, and each pool has it up and names no other", fenced()],
    ["cut off while it was opened", cutOffWhileOpened],
  ],
};
