import { expect, test } from "vitest";
import type { NodeFacts } from "#shared/domain/facts.ts";
import { change, changeDatabase, changePool, changeSettings, type World } from "../world.ts";
import type { WorldOptions } from "../declared-node.ts";
import {
  addFollower,
  changeAgent,
  changeVerbs,
  complaints,
  goodWorld,
  type situationOf,
} from "./scene.ts";

type Case = {
  readonly title: string;
  readonly options?: WorldOptions;
  readonly edit?: (world: World) => World | void;
  readonly asked?: Parameters<typeof situationOf>[1];
  /** Of every complaint what it begins with, in their order. */
  readonly says: readonly string[];
};

const row = (world: World, part: Partial<NodeFacts["database"]["replication"][number]>): void =>
  change(world, "srv127", (facts) => ({
    ...facts,
    database: {
      ...facts.database,
      replication: facts.database.replication.map((known) => ({ ...known, ...part })),
    },
  }));
const vendor = (world: World, vendorAtWork: string | null): void =>
  change(world, "srv129", (facts) => ({ ...facts, guard: { ...facts.guard, vendorAtWork } }));
const verbsOf = (world: World) => world.facts.get("srv129")?.agent.verbs ?? [];
const withPool = { pool: true } as const;

const cases: readonly Case[] = [
  { title: "nothing, on two nodes", says: [] },
  { title: "nothing, with pools and an address", options: withPool, says: [] },
  {
    title: "no primary that can be seen",
    edit: (world) => changeAgent(world, "srv127", { connected: false }),
    says: ["one-primary: no node that can be seen is a primary (away: srv127)"],
  },
  {
    title: "two primaries",
    edit: (world) => changeDatabase(world, "srv129", { role: "primary" }),
    says: ["one-primary: srv127, srv129 are primaries, all of them"],
  },
  {
    title: "a node that the cluster has not",
    asked: { to: "srv999" },
    says: ["target: srv999 is no node of ESHA. It has srv127, srv129."],
  },
  {
    title: "the primary itself",
    asked: { to: "srv127" },
    says: ["target: srv127 is the primary already"],
  },
  {
    title: "a target whose agent is away",
    edit: (world) => changeAgent(world, "srv129", { connected: false }),
    says: ["target: the agent of srv129 is away"],
  },
  {
    title: "a target that is stopped",
    edit: (world) => changeDatabase(world, "srv129", { status: "stopped", problem: "refused" }),
    says: ["target: the database of srv129 is stopped (refused)"],
  },
  {
    title: "a target that does not admit promote",
    edit: (world) => changeVerbs(world, "srv129", verbsOf(world).filter((verb) => verb !== "promote")), // prettier-ignore
    says: ["agents: srv129 does not admit promote"],
  },
  {
    title: "a target that does not admit what is not asked of it",
    edit: (world) => changeVerbs(world, "srv129", verbsOf(world).filter((verb) => verb !== "base-backup")), // prettier-ignore
    says: [],
  },
  {
    title: "another standby whose agent is away, which is said only",
    edit: (world) => addFollower(world, { isAway: true }),
    says: ["warning agents: the agent of srv159 is away"],
  },
  {
    title: "another standby whose agent is there",
    edit: (world) => addFollower(world),
    says: [],
  },
  {
    title: "the vendor's check in charge",
    edit: (world) => vendor(world, "network_rewind.sh runs from cron"),
    says: [
      "guard-in-charge: srv129: network_rewind.sh runs from cron. castellan guard takeover ESHA",
    ],
  },
  {
    title: "a target that streams from another standby",
    edit: (world) => changeDatabase(world, "srv127", { replication: [] }),
    says: ["target-streams: srv129 does not stream from srv127: its receiver is streaming, from", "lag: "], // prettier-ignore
  },
  {
    title: "a target that receives nothing",
    edit: (world) => {
      changeDatabase(world, "srv127", { replication: [] });
      changeDatabase(world, "srv129", { receiver: null });
    },
    says: ["target-streams: srv129 does not stream from srv127: it receives no WAL", "lag: "],
  },
  {
    title: "a target that is still catching up",
    edit: (world) => row(world, { state: "catchup" }),
    says: ["target-streams: srv129 does not stream from srv127"],
  },
  {
    title: "a target on another timeline",
    edit: (world) => changeDatabase(world, "srv129", { timeline: 2 }),
    says: ["target-streams: srv129 is on timeline 2, the primary on 1"],
  },
  {
    title: "a target a byte too far behind",
    edit: (world) => row(world, { replayLsn: "0/4000147" }),
    says: ["lag: srv129 is 16.0 MiB behind, at most 16.0 MiB is wanted"],
  },
  {
    title: "a target just near enough",
    edit: (world) => row(world, { replayLsn: "0/4000148" }),
    says: [],
  },
  {
    title: "a lag that is allowed by word",
    edit: (world) => row(world, { replayLsn: "0/4000147" }),
    asked: { lagLimitBytes: 32 * 1024 ** 2 },
    says: [],
  },
  {
    title: "a position of the target that is not known",
    edit: (world) => row(world, { replayLsn: null }),
    says: ["lag: srv129 is 80.0 MiB behind"],
  },
  {
    title: "another standby that does not stream, which is said only",
    edit: (world) => addFollower(world, { isStreaming: false }),
    says: ["warning followers: srv159 does not stream from the primary"],
  },
  {
    title: "no slot free on the target",
    edit: (world) => {
      changeDatabase(world, "srv129", { slots: [] });
      changeSettings(world, "srv129", { max_replication_slots: "0" });
    },
    says: ["slots-free: max_replication_slots of srv129 is 0, 1 are needed"],
  },
  {
    title: "as many slots as are needed, all there",
    edit: (world) => changeSettings(world, "srv129", { max_replication_slots: "1" }),
    says: [],
  },
  {
    title: "too few walsenders",
    edit: (world) => changeSettings(world, "srv129", { max_wal_senders: "0" }),
    says: ["slots-free: max_wal_senders of srv129 is 0, 1 are needed"],
  },
  {
    title: "as many walsenders as are needed",
    edit: (world) => changeSettings(world, "srv129", { max_wal_senders: "1" }),
    says: [],
  },
  {
    title: "a list of synchronous standbys that can't be read",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "1 (srv129" }),
    says: ["synchronous-list: synchronous_standby_names = '1 (srv129' can't be read"],
  },
  {
    title: "one that can",
    edit: (world) => changeSettings(world, "srv127", { synchronous_standby_names: "1 (srv129)" }),
    says: [],
  },
  {
    title: "a root helper without verbs for the address",
    options: withPool,
    edit: (world) => change(world, "srv129", (facts) => ({ ...facts, host: { ...facts.host, rootHelperVerbs: ["door", "vip-status", "vip-add"] } })), // prettier-ignore
    says: ["virtual-address: the root helper of srv129 has no verbs for it"],
  },
  {
    title: "no such verbs where there is no address",
    edit: (world) => change(world, "srv129", (facts) => ({ ...facts, host: { ...facts.host, rootHelperVerbs: [] } })), // prettier-ignore
    says: [],
  },
  {
    title: "a pool that is stopped",
    options: withPool,
    edit: (world) => changePool(world, "srv129", { status: "stopped" }),
    says: ["failover-command: the pool of srv129 is stopped"],
  },
  {
    title: "a pool that promotes by a script of its own",
    options: withPool,
    edit: (world) => changePool(world, "srv127", { settings: { failover_command: "/x/failover_stream.sh %d" } }), // prettier-ignore
    says: [
      "failover-command: the pool of srv127 runs /x/failover_stream.sh when the primary stops",
    ],
  },
  {
    title: "a pool that asks the coordinator, which leaves the switchover alone",
    options: withPool,
    edit: (world) => changePool(world, "srv127", { settings: { failover_command: "/usr/bin/node /x/castellan-failover.js %d" } }), // prettier-ignore
    says: [],
  },
  {
    title: "a pool that takes every standby out at a failover",
    options: withPool,
    edit: (world) => changePool(world, "srv127", { settings: { failover_command: "", follow_primary_command: "/x" } }), // prettier-ignore
    says: ["failover-command: the pool of srv127 has a follow_primary_command"],
  },
];

test.each(cases)("what preflight finds: $title", ({ options, edit, asked, says }) => {
  const world = goodWorld(options);
  const found = complaints(edit?.(world) ?? world, asked);
  expect(found.map((line, index) => line.slice(0, says[index]?.length))).toEqual(says);
});
